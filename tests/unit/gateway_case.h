/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test of the gateway: a rig with one function, "f" of the default tenant with four slots, and
 * what the test last took or was answered.
 */
#ifndef SKERRY_TESTS_GATEWAY_CASE_H
#define SKERRY_TESTS_GATEWAY_CASE_H

#include "gateway_rig.h"

#define GET "GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n"

extern struct rig rig;
extern struct rig_function fn;
extern struct rig_start start;
extern struct rig_answer answer;

/* cmocka's, for each test. */
int case_setup(void **state);
int case_teardown(void **state);
#define CASE(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)
/* On a machine that is never idle. */
int case_setup_full(void **state);
#define CASE_FULL(name) cmocka_unit_test_setup_teardown(name, case_setup_full, case_teardown)

/* Deploys f anew, with these flags and limits. */
void redeploy(uint32_t flags, const struct function_limits *limits, uint32_t slots);
/* Sends a request and takes its start message. Returns the client's socket. */
int begin(const char *request);
/* Returns when it has stopped: the signal alone takes a moment, in which it may go on. */
void stop_gateway(void);

#endif
