import type { Command } from 'commander';
import { defineCommand } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { fullProgram } from './program.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completion = defineCommand({
  words: '<shell>',
  description: `For example:

  bash: lifeboat completion bash > /etc/bash_completion.d/lifeboat
  zsh:  lifeboat completion zsh > "\${fpath[1]}/_lifeboat"
  fish: lifeboat completion fish > ~/.config/fish/completions/lifeboat.fish`,
  options: {},
  async run({ words, out }) {
    const shell = shells.find((known) => known === words[0]);
    if (!shell) throw usageWrong({ what: `There is no completion for ${words[0]}.`, command: 'lifeboat completion' });
    const script = scripts[shell](candidatesOf(await fullProgram()));
    out.answer({ shell, script }, (document) => document.script);
    return exitCodes.ok;
  },
});

/** What may follow the words of a command, by those words: `''`, `keys`, `keys new`. */
type Candidates = ReadonlyMap<string, readonly string[]>;

function candidatesOf(program: Command): Candidates {
  const common = program.options.map((option) => option.long ?? '');
  const found = new Map<string, string[]>();
  const visit = (command: Command, words: readonly string[]) => {
    const own = command.options.map((option) => option.long ?? '');
    const names = command.commands.map((child) => child.name());
    found.set(words.join(' '), [...new Set([...names, ...own, ...common, '--help'])]);
    for (const child of command.commands) visit(child, [...words, child.name()]);
  };
  visit(program, []);
  return found;
}

const scripts: Readonly<Record<(typeof shells)[number], (candidates: Candidates) => string>> = {
  bash: (candidates) => `# lifeboat completion for bash
_lifeboat() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words= choices= at
${wordsLoop('COMP_CWORD', 'COMP_WORDS[at]')}
  case $previous in --config|--identity|--into) COMPREPLY=($(compgen -f -- "$word")); return ;; esac
${chooser(candidates)}
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
complete -o default -F _lifeboat lifeboat
`,
  zsh: (candidates) => `#compdef lifeboat
# lifeboat completion for zsh
_lifeboat() {
  local previous=\${words[CURRENT-1]} line= choices= at
  for ((at = 2; at < CURRENT; at++)); do
    case \${words[at]} in -*) ;; *) line="\${line:+$line }\${words[at]}" ;; esac
  done
  case $previous in --config|--identity|--into) _files; return ;; esac
${chooser(candidates, 'line')}
  compadd -- \${=choices}
}
compdef _lifeboat lifeboat
`,
  fish: (candidates) =>
    [
      '# lifeboat completion for fish',
      'complete -c lifeboat -f',
      ...[...candidates].flatMap(([words, choices]) =>
        choices.map((choice) => {
          const condition = words === '' ? '__fish_use_subcommand' : fishCondition(words);
          const what = choice.startsWith('--') ? `-l ${choice.slice(2)}` : `-a ${choice}`;
          return `complete -c lifeboat -n '${condition}' ${what}`;
        }),
      ),
      '',
    ].join('\n'),
};

function fishCondition(words: string): string {
  return words
    .split(' ')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join('; and ');
}

function wordsLoop(end: string, word: string): string {
  return `  for ((at = 1; at < ${end}; at++)); do
    case \${${word}} in -*) ;; *) words="\${words:+$words }\${${word}}" ;; esac
  done`;
}

/** Longest words first, so that \`keys new\` is found before \`keys\`. */
function chooser(candidates: Candidates, variable = 'words'): string {
  const cases = [...candidates]
    .sort(([a], [b]) => b.length - a.length)
    .map(
      ([words, choices]) => `    ${words === '' ? '*' : `"${words}"|"${words} "*`}) choices="${choices.join(' ')}" ;;`,
    );
  return [`  case $${variable} in`, ...cases, '  esac'].join('\n');
}
