#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec "${0%/*}/harness/suite" vm "$@"
