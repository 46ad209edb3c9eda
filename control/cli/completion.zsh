#compdef trunkctl
# zsh completion for trunkctl: what `trunkctl completion zsh` prints.
_trunkctl() {
  local -a line=("${words[@]}") given=()
  local previous=$line[CURRENT-1] options= i
  for ((i = 2; i < CURRENT; ++i)); do
    case $line[i] in
    (@VALUES@) ((++i)) ;;
    (-*) ;;
    (*) given+=("$line[i]") ;;
    esac
  done
  case $previous in
  (-o|--output) compadd -- ${=:-@FORMS@}; return ;;
  (--context) compadd -- $(_trunkctl_contexts); return ;;
  (-f|--file|--tls-cert|--tls-key|--tls-ca) _files; return ;;
  (@VALUES@) return ;;
  esac
  local next=
  case ${given[1]-} in
@WORDS@
  esac
  case "$given" in
@OPTIONS@
  esac
  if [[ $line[CURRENT] == -* ]]; then
    compadd -- ${=options} ${=:-@EVERYWHERE@}
  elif ((${#given} == 0)); then
    compadd -- ${=:-@COMMANDS@}
  elif ((${#given} == 1)); then
    compadd -- ${=next}
  elif [[ $given[1] == (get|set|edit|delete) && $given[2] != router ]]; then
    compadd -- $(_trunkctl_ids $given[2])
  elif [[ $given[1] == certs ]]; then
    compadd -- $(_trunkctl_ids tls-profiles)
  elif [[ $given[1] == context ]]; then
    compadd -- $(_trunkctl_contexts)
  elif [[ $given[1] == config ]]; then
    _files
  fi
}
# Of the router, if it answers at once.
_trunkctl_ids() { trunkctl get "$1" -o name --timeout 1s 2> /dev/null | _trunkctl_words }
_trunkctl_contexts() { trunkctl context list -o name 2> /dev/null | _trunkctl_words }
# Names are chosen by others: plain words alone are left.
_trunkctl_words() { sed -n 's|.*/||; /^[A-Za-z0-9_][A-Za-z0-9._@-]*$/p' }
_trunkctl "$@"
