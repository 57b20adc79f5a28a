/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seconds since 1970 as a date in UTC. libc's gmtime_r reads the time zone's file at its first
 * call, which a confined process cannot; this is arithmetic alone.
 */
#ifndef SKERRY_GATEWAY_CIVIL_H
#define SKERRY_GATEWAY_CIVIL_H

#include <stdint.h>

struct civil {
    unsigned int year, month, day; /* 1970.., 1..12, 1..31 */
    unsigned int hour, minute, second;
    unsigned int weekday; /* 0: Sunday */
};

/* Proleptic Gregorian calendar in eras of 400 years that begin on 1 March. */
static inline struct civil civil_of(uint64_t unix_s)
{
    uint64_t days = unix_s / 86400 + 719468; /* since 0000-03-01 */
    unsigned int second = (unsigned int)(unix_s % 86400);
    unsigned int day_of_era = (unsigned int)(days % 146097);
    unsigned int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned int day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned int month = (5 * day_of_year + 2) / 153; /* 0: March */
    struct civil civil = {
        .year = year_of_era + (unsigned int)(days / 146097) * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .weekday = (unsigned int)((unix_s / 86400 + 4) % 7),
    };
    return civil;
}

#endif
