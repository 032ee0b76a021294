// SPDX-License-Identifier: Apache-2.0
//
// Tries the walls of a confined process from inside. In test builds the environment variable
// FREEHOLD_CONFINEMENT_PROBE names what a service tries once it is confined, separated by commas;
// each attempt is a record "confinement probe" with what was tried and its outcome, "done" or the
// name of the error:
//
//   read:PATH      open for reading
//   write:PATH     open for writing
//   truncate:PATH  truncate(2) to its present size
//   connect:PORT   connect over TCP on loopback
//   bind:PORT      listen on loopback
//   signal:PID     signal 0
//
// In release builds nothing is ever tried.
#pragma once

namespace freehold {

#ifdef FREEHOLD_TESTING
void probe_confinement();
#else
inline void probe_confinement() {}
#endif

}  // namespace freehold
