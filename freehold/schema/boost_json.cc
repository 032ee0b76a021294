// SPDX-License-Identifier: Apache-2.0
//
// Boost.JSON, compiled once: with this build's sanitizers and flags, unlike a packaged library.
#include <boost/json/src.hpp>
