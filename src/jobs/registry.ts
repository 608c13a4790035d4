import type { Job } from './job.ts';

// biome-ignore lint/suspicious/noExplicitAny: each job reads its own request
type AnyJob = Job<any, any>;

/** All that Lifeboat does with a system. Each file is loaded only when somebody asks for its jobs. */
export const jobs: Readonly<Record<string, () => Promise<AnyJob>>> = {
  accept: async () => (await import('./accept.ts')).acceptJob,
  audit: async () => (await import('./audit.ts')).auditJob,
  'audit-verify': async () => (await import('./audit.ts')).auditVerifyJob,
  backup: async () => (await import('./backup.ts')).backupJob,
  check: async () => (await import('./check.ts')).checkJob,
  copy: async () => (await import('./copy.ts')).copyJob,
  cost: async () => (await import('./cost.ts')).costJob,
  'destination-list': async () => (await import('./placement.ts')).placementJob,
  drill: async () => (await import('./drill.ts')).drillJob,
  erase: async () => (await import('./erase.ts')).eraseJob,
  'evidence-list': async () => (await import('./evidence.ts')).evidenceListJob,
  'evidence-show': async () => (await import('./evidence.ts')).evidenceShowJob,
  gc: async () => (await import('./gc.ts')).gcJob,
  keep: async () => (await import('./keep.ts')).keepJob,
  'keys-admit': async () => (await import('./keys.ts')).keysAdmitJob,
  'keys-check': async () => (await import('./keys.ts')).keysCheckJob,
  'keys-rotate': async () => (await import('./keys.ts')).keysRotateJob,
  list: async () => (await import('./list.ts')).listJob,
  pin: async () => (await import('./pins.ts')).pinJob,
  prune: async () => (await import('./prune.ts')).pruneJob,
  recover: async () => (await import('./recover.ts')).recoverJob,
  restore: async () => (await import('./restore.ts')).restoreJob,
  sabotage: async () => (await import('./sabotage.ts')).sabotageJob,
  status: async () => (await import('./status.ts')).statusJob,
  unpin: async () => (await import('./pins.ts')).unpinJob,
  verify: async () => (await import('./verify.ts')).verifyJob,
  withdraw: async () => (await import('./accept.ts')).withdrawJob,
};
