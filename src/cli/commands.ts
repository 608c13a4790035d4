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
  destination: 'Where the copies lie, and who may do what there',
  evidence: 'What drills have proved: signed, chained records',
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
    name: 'check',
    summary: 'Look at everything that a backup and a restore need',
    load: async () => (await import('./check.ts')).check,
  },
  {
    name: 'backup',
    summary: 'Take a restore point of each dataset',
    load: async () => (await import('./backup.ts')).backup,
  },
  {
    name: 'accept',
    summary: 'Say that a loss of data was meant',
    load: async () => (await import('./accept.ts')).accept,
  },
  {
    name: 'list',
    summary: 'List restore points, or what one holds',
    load: async () => (await import('./list.ts')).list,
  },
  {
    name: 'restore',
    summary: 'Bring a dataset back',
    load: async () => (await import('./restore.ts')).restore,
  },
  {
    name: 'bootstrap',
    summary: 'Begin with nothing but a vault and a key',
    load: async () => (await import('./bootstrap.ts')).bootstrap,
  },
  {
    name: 'recover',
    summary: 'Bring everything back, in order',
    load: async () => (await import('./recover.ts')).recover,
  },
  {
    name: 'drill',
    summary: 'Rehearse the recovery and prove it',
    load: async () => (await import('./drill.ts')).drill,
  },
  {
    name: 'status',
    summary: 'How much would be lost now, and how long until it is back',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'verify',
    summary: 'Check what is stored, and heal it',
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'destination list',
    summary: 'Say where the copies lie, and what could be lost together',
    load: async () => (await import('./destination-list.ts')).destinationList,
  },
  {
    name: 'destination policy',
    summary: 'Print the least that a role needs at a destination',
    load: async () => (await import('./destination-policy.ts')).destinationPolicy,
  },
  {
    name: 'cost',
    summary: 'Say what is stored where, and about what it costs',
    load: async () => (await import('./cost.ts')).cost,
  },
  {
    name: 'copy',
    summary: 'Bring destinations up to date from one another',
    load: async () => (await import('./copy.ts')).copy,
  },
  {
    name: 'keep',
    summary: 'Extend the locks of what restore points need',
    load: async () => (await import('./keep.ts')).keep,
  },
  {
    name: 'prune',
    summary: 'Drop what the retention no longer keeps',
    load: async () => (await import('./prune.ts')).prune,
  },
  {
    name: 'pin',
    summary: 'Keep a restore point whatever the retention says',
    load: async () => (await import('./pin.ts')).pin,
  },
  {
    name: 'unpin',
    summary: 'Let the retention decide about it again',
    load: async () => (await import('./unpin.ts')).unpin,
  },
  {
    name: 'erase',
    summary: 'Remove restore points before their time',
    load: async () => (await import('./erase.ts')).erase,
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
    name: 'keys split',
    summary: 'Split a private key among people',
    load: async () => (await import('./keys-split.ts')).keysSplit,
  },
  {
    name: 'keys combine',
    summary: 'Put a private key together from its shares',
    load: async () => (await import('./keys-combine.ts')).keysCombine,
  },
  {
    name: 'keys escrow',
    summary: 'Make a key pair that exists only as shares',
    load: async () => (await import('./keys-escrow.ts')).keysEscrow,
  },
  {
    name: 'keys rotate',
    summary: 'Change the recipients of new backups',
    load: async () => (await import('./keys-rotate.ts')).keysRotate,
  },
  {
    name: 'keys admit',
    summary: 'Let added recipients open what is stored already',
    load: async () => (await import('./keys-admit.ts')).keysAdmit,
  },
  {
    name: 'evidence list',
    summary: 'List what drills have proved, and what not',
    load: async () => (await import('./evidence-list.ts')).evidenceList,
  },
  {
    name: 'evidence show',
    summary: 'Show one record of a drill',
    load: async () => (await import('./evidence-show.ts')).evidenceShow,
  },
  {
    name: 'evidence verify',
    summary: 'Check the signatures and the chain of the evidence',
    load: async () => (await import('./evidence-verify.ts')).evidenceVerify,
  },
  {
    name: 'audit',
    summary: 'List what happened to the vault, who did it and when',
    load: async () => (await import('./audit.ts')).audit,
  },
  {
    name: 'audit verify',
    summary: 'Check the signatures and the chain of the audit log, also of a copied folder',
    load: async () => (await import('./audit-verify.ts')).auditVerify,
  },
  {
    name: 'gc',
    summary: 'Remove what killed drills left',
    load: async () => (await import('./gc.ts')).gc,
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completion,
  },
];
