import type { AnyCommand } from './command.ts';

export interface CommandEntry {
  /** One word, or two for a command of a group: `keys new`. */
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<AnyCommand>;
}

/** What `lifeboat <group> --help` opens with. */
export const groups: Readonly<Record<string, string>> = {
  config: 'The configuration, checked and shown',
  keys: 'The keys that open the backups',
};

/** In the order of a life with backups. Each file is loaded only when its command is called. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'Look around and write a configuration and two key pairs',
    load: async () => (await import('./init.ts')).init,
  },
  {
    name: 'config show',
    summary: 'Print the configuration with every default',
    load: async () => (await import('./config-show.ts')).configShow,
  },
  {
    name: 'config validate',
    summary: 'Check the configuration and nothing else',
    load: async () => (await import('./config-validate.ts')).configValidate,
  },
  {
    name: 'config schema',
    summary: 'Print the JSON Schema of the configuration',
    load: async () => (await import('./config-schema.ts')).configSchemaCommand,
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completion,
  },
];
