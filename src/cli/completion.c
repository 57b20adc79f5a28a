/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion of the command line. The scripts for the shells know nothing of skerry: they ask the
 * hidden verb `__complete` with the words so far, which answers from the tables (and, for names of
 * functions and images, from the daemon and the store), one candidate a line, "word<TAB>what it
 * is". A line ":file", ":dir" or ":command" leaves the word to the shell.
 */
#include <stdio.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "image/store.h"

static const char bash_script[] =
    "# bash completion of skerry; in ~/.bashrc: source <(skerry completion bash)\n"
    "_skerry() {\n"
    "    local line cur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "        :dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "        :command) compopt -o filenames\n"
    "            mapfile -t COMPREPLY < <(compgen -c -f -- \"$cur\" | sort -u) ;;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _skerry skerry\n";

static const char zsh_script[] =
    "#compdef skerry\n"
    "# zsh completion of skerry; as a file _skerry in a directory of $fpath\n"
    "_skerry() {\n"
    "    local line\n"
    "    local -a items\n"
    "    for line in \"${(@f)$(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" "
    "2>/dev/null)}\"; do\n"
    "        case $line in\n"
    "        '') ;;\n"
    "        :file) _files ;;\n"
    "        :dir) _files -/ ;;\n"
    "        :command) _alternative 'commands:command:_command_names -e' 'files:file:_files' ;;\n"
    "        *) items+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( $#items )) && _describe skerry items\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _skerry ]; then\n"
    "    _skerry \"$@\"\n"
    "else\n"
    "    compdef _skerry skerry\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of skerry; as ~/.config/fish/completions/skerry.fish\n"
    "function __skerry_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)\n"
    "        switch $line\n"
    "            case :file\n"
    "                __fish_complete_path (commandline -ct)\n"
    "            case :dir\n"
    "                __fish_complete_directories (commandline -ct)\n"
    "            case :command\n"
    "                __fish_complete_command\n"
    "                __fish_complete_path (commandline -ct)\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c skerry -f -a '(__skerry_complete)'\n";

static const struct {
    const char *name, *script;
} shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
#define SHELLS (sizeof(shells) / sizeof(shells[0]))

static int run_completion(const struct verb *verb, const struct settings *settings)
{
    for (size_t i = 0; i < SHELLS; i++) {
        if (strcmp(settings->operands[0], shells[i].name) == 0) {
            fputs(shells[i].script, stdout);
            return CLI_OK;
        }
    }
    say("%s: '%s' is no shell that is known; there are: bash zsh fish", verb->name,
        settings->operands[0]);
    return CLI_USAGE;
}

/* What is being completed. */
struct typing {
    const char *word; /* begun */
    size_t length;
    const struct settings *settings; /* for --state */
};

static void offer(const struct typing *typing, const char *candidate, const char *about)
{
    if (strncmp(candidate, typing->word, typing->length) != 0)
        return;
    /* descriptions are one line: the first sentence, without its full stop */
    const char *end = strstr(about, ". ");
    size_t length = end != NULL ? (size_t)(end - about) : strcspn(about, "\n");
    if (length > 0 && about[length - 1] == '.')
        length--;
    printf("%s\t%.*s\n", candidate, (int)length, about);
}

static int offer_image(void *arg, const char *ref, const struct image_meta *meta)
{
    (void)meta;
    offer(arg, ref, "image");
    return 0;
}

static void offer_images(struct typing *typing)
{
    char state[STATE_PATH_MAX];
    struct image_store *store = NULL;
    struct err ignored;
    if (state_dir(typing->settings, state, &ignored) < 0 ||
        image_store_open(state, 0, &store, &ignored) < 0)
        return;
    image_store_each(store, offer_image, typing, &ignored);
    image_store_close(store);
}

static void offer_functions(const struct typing *typing)
{
    char state[STATE_PATH_MAX];
    struct err ignored;
    json_t *all = NULL, *function;
    size_t i;
    if (state_dir(typing->settings, state, &ignored) < 0 ||
        client_json(state, "GET", "/system/functions", NULL, &all, NULL, &ignored) < 0)
        return;
    json_array_foreach(all, i, function)
    {
        const char *name = admin_text(function, "name");
        if (name != NULL)
            offer(typing, name, "function");
    }
    json_decref(all);
}

/* The first words of the verbs, or the second ones of those that begin with `first`. */
static void offer_verbs(const struct typing *typing, const char *first)
{
    char last[32] = "";
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        const char *name = (*at)->name;
        size_t length = strcspn(name, " ");
        char word[32];
        snprintf(word, sizeof(word), "%.*s", (int)length, name);
        if ((*at)->hidden)
            continue;
        if (first != NULL && name[length] == ' ' && strcmp(word, first) == 0)
            offer(typing, name + length + 1, (*at)->summary);
        else if (first == NULL &&
                 strcmp(word, last) != 0) /* siblings stand together in the table */
            offer(typing, word, name[length] == ' ' ? "import, list or remove" : (*at)->summary);
        memcpy(last, word, sizeof(last));
    }
}

static void offer_kind(struct typing *typing, enum complete_kind kind)
{
    switch (kind) {
    case COMPLETE_FILE:
        puts(":file");
        break;
    case COMPLETE_DIR:
        puts(":dir");
        break;
    case COMPLETE_COMMAND:
        puts(":command");
        break;
    case COMPLETE_FUNCTION:
        offer_functions(typing);
        break;
    case COMPLETE_IMAGE:
        offer_images(typing);
        break;
    case COMPLETE_VERB:
        offer_verbs(typing, NULL);
        break;
    case COMPLETE_SHELL:
        for (size_t i = 0; i < SHELLS; i++)
            offer(typing, shells[i].name, "shell");
        break;
    case COMPLETE_NONE:
        break;
    }
}

static void offer_options(const struct typing *typing, const struct verb *verb)
{
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        const struct option *option = option_get((enum option_id) * at);
        char word[64];
        snprintf(word, sizeof(word), "--%s", option->name);
        offer(typing, word, option->help);
    }
}

static void offer_words(const struct typing *typing, const struct option *option)
{
    for (const char *at = option->words; *at != '\0';) {
        char word[32];
        size_t length = strcspn(at, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, at);
        offer(typing, word, option->name);
        at += length + (at[length] == ' ');
    }
}

/* The option of the verb that `word` is and whose value is the next word; NULL when there is none.
 */
static const struct option *awaits_value(const struct verb *verb, const char *word)
{
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        const struct option *option = option_get((enum option_id) * at);
        if (option->value == NULL)
            continue;
        if (word[0] == '-' && word[1] == '-' && strcmp(word + 2, option->name) == 0)
            return option;
        if (word[0] == '-' && option->letter != 0 && word[1] == option->letter && word[2] == '\0')
            return option;
    }
    return NULL;
}

/* The words after the verb: which of them are operands, up to the one that is being typed. */
static void complete_verb(struct typing *typing, const struct verb *verb, char *const *words,
                          int count)
{
    int operands = 0;
    bool ended = false;
    const struct option *option = NULL;
    for (int i = 0; i < count; i++) {
        if (option != NULL) {
            option = NULL;
            continue;
        }
        if (ended || words[i][0] != '-')
            operands++;
        else if (strcmp(words[i], "--") == 0)
            ended = true;
        else
            option = awaits_value(verb, words[i]);
        ended = ended || (verb->stop_after >= 0 && operands >= verb->stop_after);
    }
    if (option != NULL && option->words != NULL)
        offer_words(typing, option);
    else if (option != NULL)
        offer_kind(typing, option->complete);
    else if (!ended && typing->word[0] == '-')
        offer_options(typing, verb);
    else if (ended && verb->stop_after > 0 && operands >= verb->stop_after)
        puts(":file"); /* arguments of the program */
    else if (verb->operands_max < 0 || operands < verb->operands_max)
        offer_kind(typing, verb->complete);
}

static int run_complete(const struct verb *self, const struct settings *settings)
{
    (void)self;
    int count = settings->operand_count, words = 0;
    struct err ignored;
    if (count == 0)
        return CLI_OK;
    struct typing typing = {.word = settings->operands[count - 1], .settings = settings};
    typing.length = strlen(typing.word);
    if (count == 1) {
        offer_verbs(&typing, NULL);
        return CLI_OK;
    }
    const struct verb *verb = verb_find(count - 1, settings->operands, &words, &ignored);
    if (verb != NULL)
        complete_verb(&typing, verb, settings->operands + words, count - 1 - words);
    else if (count == 2)
        offer_verbs(&typing, settings->operands[0]);
    return CLI_OK;
}

static const unsigned char completion_options[] = {OPT_HELP, OPT_COUNT};
static const unsigned char complete_options[] = {OPT_STATE, OPT_COUNT};

static const struct verb_section completion_sections[] = {
    {"Examples", "  source <(skerry completion bash)\n"
                 "  skerry completion zsh > ~/.zfunc/_skerry\n"
                 "  skerry completion fish > ~/.config/fish/completions/skerry.fish\n"},
    {NULL, NULL},
};

const struct verb verb_completion = {
    .name = "completion",
    .summary = "print a shell's completion script",
    .operands = "bash|zsh|fish",
    .description =
        "Prints a script that teaches the shell to complete skerry's verbs, options, names of "
        "functions and of images. The installation puts these scripts where the shells look.",
    .sections = completion_sections,
    .options = completion_options,
    .operands_min = 1,
    .operands_max = 1,
    .stop_after = -1,
    .complete = COMPLETE_SHELL,
    .usage_exit = CLI_USAGE,
    .run = run_completion,
};

const struct verb verb_complete = {
    .name = "__complete",
    .summary = "candidates for the completion scripts",
    .operands = "-- WORD...",
    .description = "Prints what may stand in the place of the last word.",
    .options = complete_options,
    .operands_max = -1,
    .stop_after = -1,
    .hidden = true,
    .usage_exit = CLI_USAGE,
    .run = run_complete,
};
