import type { Hearing } from '../ledger/standing.ts';
import { keysOf, type VaultReader } from '../vault/index.ts';
import { ownKey } from './known-writers.ts';
import type { OpenSystem } from './system.ts';

/**
 * Whose evidence counts here: whom this host knows; where it knows nobody, whoever made a restore point of the system, and this host
 * itself, which may only drill.
 */
export async function hearingOf(
  { config, clock }: Pick<OpenSystem, 'config' | 'clock'>,
  vault: VaultReader,
): Promise<Hearing> {
  const { id, trust } = vault;
  const hearing = { vault: id, system: config.name, nowMs: clock.now() };
  if (trust.writers !== undefined) return { ...hearing, trust };
  const { points } = await vault.pointsOfAll();
  const met = points.map(({ record }) => ({ key: record.writer, systems: [record.system] }));
  return { ...hearing, trust: { ...trust, writers: keysOf([...met, ...ownKey(config, id)]) } };
}
