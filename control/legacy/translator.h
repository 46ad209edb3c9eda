#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/document.h"
#include "control/legacy/attributes.h"
#include "control/legacy/sections.h"
#include "control/legacy/users.h"

namespace trunkline::legacy {

// Makes a document of the sections of a qdrouterd.conf. What is the same in both is read by the
// legacy names in the field options; here is what is not. Short-lived; owns nothing.
class Translator {
 public:
  // `sections`, `read` and `report` outlive this.
  Translator(std::vector<Section>& sections, const FileReader& read, Report& report);

  config::Document Run();

 private:
  // How resources of one kind are called.
  struct Kind {
    std::string_view collection;  // in names: "listeners/amqp"
    std::string_view path;        // in paths: "listeners[amqp].port"
  };
  using Names = std::initializer_list<std::string_view>;

  void UseCurrentNames(Section& section);
  void CheckSections();
  void CheckOnce(std::string_view name);
  // The sections of this name, in their order.
  std::vector<const Section*> All(std::string_view name) const;

  void ReadRouter(const Section& section);
  void ReadPolicy(const Section& section);
  void ReadProfile(const Section& section);
  void ReadAddress(const Section& section);
  void ReadListener(const Section& section);
  void ReadHttpListener(const Section& section);
  void ReadHttpAttributes(const Section& section, v1::MetricsSpec& spec);
  void ReadConnector(const Section& section);

  // Reads all attributes but `passed`, which are read elsewhere.
  void ReadAttributes(const Section& section, const Target& target, Names passed);
  bool TellGap(const Section& section, const Attribute& attribute);
  void TellUnknown(const Section& section, const Attribute& attribute,
                   const std::vector<std::string>& known);
  std::string HintFor(std::string_view word, const std::vector<std::string>& known) const;
  void ReadProtocols(const Section& section, const std::string& path, v1::TlsProfileSpec& spec);
  // Whether an attribute of a listener with http: yes is about AMQP, which is not spoken there.
  bool TellAmqpAlone(const Section& section, const Attribute& attribute);
  void RequireTls(const Section& section, const std::string& tls_profile);
  void ReadClientLogin(const Section& section, v1::ConnectorSpec& spec);
  // The password is in a file that the attribute names; any other form is a problem.
  void ReadPassword(const Section& section, const Attribute& attribute, const Target& target);
  bool IsSet(const Section& section, std::string_view name);
  void CheckProfile(const Section& section);

  template <typename Resource>
  static Target TargetOf(const Kind& kind, Resource& resource);
  // Adds the resource that a section describes, under an id made from its name, or else from
  // `unnamed`; null if there is one of that name.
  template <typename Resource>
  Resource* Add(const Section& section, const Kind& kind, const std::string& unnamed,
                std::map<std::string, Resource>& resources);

  void Fail(const Section& section, const Attribute& attribute, std::string text);
  void Warn(const Section& section, const Attribute& attribute, std::string text);

  static const Kind kListener;
  static const Kind kConnector;
  static const Kind kProfile;
  static const Kind kAddress;

  std::vector<Section>& sections_;
  Report& report_;
  UserFinder users_;
  config::Document document_;
  std::set<std::string, std::less<>> profiles_;  // as the file names them
};

}  // namespace trunkline::legacy
