#pragma once

#include "control/http/server.h"
#include "control/metrics/families.h"
#include "control/metrics/process.h"
#include "control/metrics/state.h"
#include "router/metrics.h"

namespace trunkline::metrics {

// What is told of each source. Pure: values in, rows out.
void AddIdentity(const Identity& identity, Families& families);
void AddRouter(const RouterMetrics& router, Families& families);
void AddConnections(const RouterMetrics& router, Families& families);
void AddControl(const ControlState& state, Families& families);
void AddLog(const LogCounts& counts, Families& families);
void AddHttp(const http::Server::Stats& stats, Families& families);
void AddProcess(const ProcessStats& stats, double start, Families& families);

}  // namespace trunkline::metrics
