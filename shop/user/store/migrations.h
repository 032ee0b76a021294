// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "freehold/database/migration.h"

namespace user {

std::span<const freehold::Migration> migrations();  // generated from migrations/*.sql

}  // namespace user
