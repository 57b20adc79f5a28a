# SPDX-License-Identifier: Apache-2.0
# Completion of skerry-oci for bash (and for zsh by bashcompinit). Verbs and options come from the
# program's own --help, ids from its list.
_skerry_oci() {
    local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local verb='' root=() i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root) root=(--root "${COMP_WORDS[i + 1]}") && ((i++)) ;;
        --log | --log-format | --criu | --rootless) ((i++)) ;;
        -*) ;;
        *) verb=${COMP_WORDS[i]} && break ;;
        esac
    done
    case $prev in
    --bundle | -b | --root | --image-path | --work-path | --parent-path)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --log | --pid-file | --console-socket | --process | -p | --resources | -r)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur") && return ;;
    --format | -f) [ "$verb" = delete ] || {
        mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$cur")
        return
    } ;;
    esac
    if [[ $cur == -* ]]; then
        local help
        help=$("$program" ${verb:+"$verb"} --help 2>/dev/null | sed -nE 's/^  (--[a-z0-9-]+).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$help" -- "$cur")
    elif [ -z "$verb" ]; then
        local verbs
        verbs=$("$program" --help 2>/dev/null | sed -nE '/^verbs:/,/^$/s/^  ([a-z]+) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
    elif [ "$verb" = kill ] && [[ $prev != kill && $prev != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP' -- "$cur")
    else
        local ids
        case $verb in
        create | run | restore | spec | features | list) return ;;
        esac
        ids=$("$program" "${root[@]}" list --quiet 2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "$ids" -- "$cur")
    fi
}
complete -F _skerry_oci skerry-oci
