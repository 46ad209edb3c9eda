#pragma once

#include "control/config/document.h"
#include "control/legacy/sections.h"

namespace trunkline::legacy {

// Takes over a section "log { module: … enable: … outputFile: … }": the levels of Dispatch's
// modules become those of the modules here that do the same. The most talkative counts where
// several become one. The file of module DEFAULT is that of the log.
void ReadLog(const Section& section, v1::LogSpec& spec, Report& report);

}  // namespace trunkline::legacy
