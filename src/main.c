/* The program: finds the command and runs it. */
#include "base/str.h"
#include "cli/command.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve,         &command_migrate,
    &command_import,        &command_backup,
    &command_restore,       &command_tenant_create,
    &command_tenant_list,   &command_user_invite,
    &command_user_list,     &command_user_reset,
    &command_user_password, &command_user_deactivate,
    &command_key_create,    &command_key_list,
    &command_key_revoke,    &command_audit_checkpoint,
    &command_audit_verify,  &command_export_timeline,
};

static void print_help(void)
{
    printf("Touchpoint %s: every touch between an organisation and its customers.\n\n"
           "  touchpoint COMMAND [OPTIONS]\n\n",
           TOUCHPOINT_VERSION);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        printf("  %-17s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n  touchpoint COMMAND --help names every option of a command.\n");
}

static int print_command_help(const struct command *command)
{
    printf("touchpoint %s [OPTIONS] %s\n%s\n\n", command->name, command->operands,
           command->summary);
    options_help(command->options, command->option_count);
    return EXIT_FINE;
}

/* How many of the arguments are the command's name; 0: another command. */
static int matches(const struct command *command, int argc, char **argv)
{
    struct str first;
    const struct str second = str_cut(str_of(command->name), ' ', &first);

    if (argc < 1 || !str_is(first, argv[0]))
        return 0;
    if (second.ptr == NULL)
        return 1;
    return argc >= 2 && str_is(second, argv[1]) ? 2 : 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = EXIT_USAGE;

    if (options_parse(&options, command->options, command->option_count, argc, argv)) {
        if (options.help)
            status = print_command_help(command);
        else if (options.operand_count < command->operands_least ||
                 options.operand_count > command->operands_most)
            fprintf(stderr, "touchpoint %s [OPTIONS] %s (see --help)\n", command->name,
                    command->operands);
        else
            status = command->run(&options);
    }
    options_clear(&options);
    return status;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return EXIT_FAILED;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const int words = matches(commands[i], argc - 1, argv + 1);

        if (words > 0)
            return run(commands[i], argc - 1 - words, argv + 1 + words);
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        print_help();
        return EXIT_FINE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("touchpoint %s\n", TOUCHPOINT_VERSION);
        return EXIT_FINE;
    }
    if (argc > 1)
        fprintf(stderr, "touchpoint: there is no command %s\n", argv[1]);
    print_help();
    return EXIT_USAGE;
}
