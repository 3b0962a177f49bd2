/* What the C and C++ test programs share: a line for each test, and a count at the end. The
 * scripts beside them count the lines. */

#ifndef KEYSLOT_CHECK_H
#define KEYSLOT_CHECK_H

#include <stdio.h>

static int checks_failed = 0;
static int test_failures_before = 0;

/* Says that a condition does not hold, and where; goes on. */
#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            checks_failed++;                                                                  \
            printf("  %s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
        }                                                                                     \
    } while (0)

static void test_begin(void)
{
    test_failures_before = checks_failed;
}

static void test_end(const char *name)
{
    printf("%s %s\n", checks_failed == test_failures_before ? "ok" : "FAILED", name);
    fflush(stdout);
}

/* Runs a function without arguments as a test. */
#define TEST(function)                                                                        \
    do {                                                                                      \
        test_begin();                                                                         \
        function();                                                                           \
        test_end(#function);                                                                  \
    } while (0)

#ifdef __cplusplus
/* Runs a function with these arguments as a test. */
#define TEST_WITH(function, ...)                                                              \
    do {                                                                                      \
        test_begin();                                                                         \
        function(__VA_ARGS__);                                                                \
        test_end(#function);                                                                  \
    } while (0)
#endif

#endif
