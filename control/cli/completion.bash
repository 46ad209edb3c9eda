# bash completion for trunkctl: what `trunkctl completion bash` prints.
_trunkctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local next= options= i
  local -a given=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
    @VALUES@) i=$((i + 1)) ;;
    -*) ;;
    *) given+=("${COMP_WORDS[i]}") ;;
    esac
  done
  case $previous in
  -o|--output) COMPREPLY=($(compgen -W "@FORMS@" -- "$current")); return ;;
  --context) COMPREPLY=($(compgen -W "$(_trunkctl_contexts)" -- "$current")); return ;;
  -f|--file|--tls-cert|--tls-key|--tls-ca) COMPREPLY=($(compgen -f -- "$current")); return ;;
  @VALUES@) return ;;
  esac
  case ${given[0]-} in
@WORDS@
  esac
  case "${given[*]-}" in
@OPTIONS@
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options @EVERYWHERE@" -- "$current"))
  elif [[ ${#given[@]} -eq 0 ]]; then
    COMPREPLY=($(compgen -W "@COMMANDS@" -- "$current"))
  elif [[ ${#given[@]} -eq 1 ]]; then
    COMPREPLY=($(compgen -W "$next" -- "$current"))
  elif [[ ${given[0]} =~ ^(get|set|edit|delete)$ && ${given[1]} != router ]]; then
    COMPREPLY=($(compgen -W "$(_trunkctl_ids "${given[1]}")" -- "$current"))
  elif [[ ${given[0]} == certs ]]; then
    COMPREPLY=($(compgen -W "$(_trunkctl_ids tls-profiles)" -- "$current"))
  elif [[ ${given[0]} == context ]]; then
    COMPREPLY=($(compgen -W "$(_trunkctl_contexts)" -- "$current"))
  elif [[ ${given[0]} == config ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
# Of the router, if it answers at once.
_trunkctl_ids() { trunkctl get "$1" -o name --timeout 1s 2> /dev/null | _trunkctl_words; }
_trunkctl_contexts() { trunkctl context list -o name 2> /dev/null | _trunkctl_words; }
# Names are chosen by others, and compgen would run what stands in $(…): plain words alone are left.
_trunkctl_words() { sed -n 's|.*/||; /^[A-Za-z0-9_][A-Za-z0-9._@-]*$/p'; }
complete -o filenames -F _trunkctl trunkctl
