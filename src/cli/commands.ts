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
    name: 'list',
    summary: 'List restore points, or what one holds',
    load: async () => (await import('./list.ts')).list,
  },
  {
    name: 'status',
    summary: 'How much would be lost now, and how long until it is back',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'prune',
    summary: 'Say what the retention would drop',
    load: async () => (await import('./prune.ts')).prune,
  },
  {
    name: 'keys list',
    summary: 'List the recipients of new backups',
    load: async () => (await import('./keys-list.ts')).keysList,
  },
  {
    name: 'keys check',
    summary: 'Try private keys on the newest restore points',
    load: async () => (await import('./keys-check.ts')).keysCheck,
  },
  {
    name: 'keys new',
    summary: 'Make a key pair',
    load: async () => (await import('./keys-new.ts')).keysNew,
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completion,
  },
];
