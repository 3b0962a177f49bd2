/*
 * Commands by format. Words are separated by spaces, before anything is filled in, so that an
 * argument is never split:
 *
 *     keyslot_reply *reply = keyslot_session_command(session, "SET %s %b EX %d", key, value,
 *                                                    value_len, 60);
 *
 *   %s                   const char *, ended by a NUL
 *   %b                   const void * and size_t: bytes of any kind
 *   %d %i %u             int, unsigned int; with hh, h, l, ll, j, z, t as in printf
 *   %f %.Nf              double, 6 or N digits after the point
 *   %g                   double, as many digits as it takes to read it back exactly
 *   %%                   a percent sign
 *
 * A format holds at most KEYSLOT_ARGUMENTS_MAX conversions; longer commands go by
 * keyslot_session_command_argv. These functions are here because C alone can take a va_list apart.
 */

/* Takes the arguments of `format` off `list`. Returns how many there are. */
static inline size_t keyslot_arguments_collect(const char *format, va_list list,
                                               keyslot_argument *arguments)
{
    size_t count = 0;
    keyslot_argument_kind kind;

    while (count < KEYSLOT_ARGUMENTS_MAX
           && (kind = keyslot_format_next(&format)) != KEYSLOT_ARGUMENT_END) {
        keyslot_argument *argument = &arguments[count++];
        argument->data = NULL;
        argument->len = 0;
        argument->integer = 0;
        argument->number = 0;
        switch (kind) {
        case KEYSLOT_ARGUMENT_END: break;
        case KEYSLOT_ARGUMENT_TEXT: argument->data = va_arg(list, const char *); break;
        case KEYSLOT_ARGUMENT_BYTES:
            argument->data = va_arg(list, const void *);
            argument->len = va_arg(list, size_t);
            break;
        case KEYSLOT_ARGUMENT_INT: argument->integer = va_arg(list, int); break;
        case KEYSLOT_ARGUMENT_LONG: argument->integer = va_arg(list, long); break;
        case KEYSLOT_ARGUMENT_LONG_LONG: argument->integer = va_arg(list, long long); break;
        case KEYSLOT_ARGUMENT_PTRDIFF: argument->integer = va_arg(list, ptrdiff_t); break;
        case KEYSLOT_ARGUMENT_UNSIGNED:
            argument->integer = (int64_t)va_arg(list, unsigned int);
            break;
        case KEYSLOT_ARGUMENT_UNSIGNED_LONG:
            argument->integer = (int64_t)va_arg(list, unsigned long);
            break;
        case KEYSLOT_ARGUMENT_UNSIGNED_LONG_LONG:
            argument->integer = (int64_t)va_arg(list, unsigned long long);
            break;
        case KEYSLOT_ARGUMENT_SIZE: argument->integer = (int64_t)va_arg(list, size_t); break;
        case KEYSLOT_ARGUMENT_DOUBLE: argument->number = va_arg(list, double); break;
        }
    }
    return count;
}

/* Like keyslot_engine_command, with the arguments in a list. */
static inline keyslot_reply *keyslot_engine_vcommand(const keyslot_engine *engine,
                                                     const char *format, va_list list)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count = keyslot_arguments_collect(format, list, arguments);
    return keyslot_engine_command_format(engine, format, arguments, count);
}

/* Carries out a command on database 0, and returns its reply as keyslot_engine_command_argv. */
static inline keyslot_reply *keyslot_engine_command(const keyslot_engine *engine,
                                                    const char *format, ...)
{
    va_list list;
    keyslot_reply *reply;
    va_start(list, format);
    reply = keyslot_engine_vcommand(engine, format, list);
    va_end(list);
    return reply;
}

/* Like keyslot_session_command, with the arguments in a list. */
static inline keyslot_reply *keyslot_session_vcommand(const keyslot_session *session,
                                                      const char *format, va_list list)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count = keyslot_arguments_collect(format, list, arguments);
    return keyslot_session_command_format(session, format, arguments, count);
}

/* Carries out a command in a session, and returns its reply as keyslot_session_command_argv. */
static inline keyslot_reply *keyslot_session_command(const keyslot_session *session,
                                                     const char *format, ...)
{
    va_list list;
    keyslot_reply *reply;
    va_start(list, format);
    reply = keyslot_session_vcommand(session, format, list);
    va_end(list);
    return reply;
}

/* Adds a command to a pipeline. `error` may be null. */
static inline keyslot_status keyslot_pipeline_add(const keyslot_pipeline *pipeline,
                                                  keyslot_error *error, const char *format, ...)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count;
    va_list list;
    va_start(list, format);
    count = keyslot_arguments_collect(format, list, arguments);
    va_end(list);
    return keyslot_pipeline_add_format(pipeline, format, arguments, count, error);
}

#endif /* KEYSLOT_H */
