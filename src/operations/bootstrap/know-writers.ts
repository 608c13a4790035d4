import type { Run } from '../../core/run.ts';
import { rememberWriters } from '../known-writers.ts';
import type { OpenSystem } from '../system.ts';
import { type BeliefRequest, believedWriters, checkVault } from './believe.ts';
import { survey } from './survey.ts';

/**
 * Before everything is brought back from a vault on a machine that knows none of its writers: whom to believe is decided as
 * `bootstrap` decides it, and remembered. Nothing to do where it is known. @throws `writers-unclear`, `key-of-another-vault`
 */
export async function knowWriters(system: OpenSystem, request: BeliefRequest, run: Run): Promise<void> {
  const { config } = system;
  const vault = await run.step('find the vault', () => system.vault(() => {}));
  checkVault(vault.id, request);
  if (vault.trust.writers !== undefined) return;
  const { systems } = await survey(vault);
  const own = systems.find((one) => one.system === config.name);
  // Where the vault holds nothing of it, the recovery itself says so.
  if (own === undefined) return;
  const damage = ({ key, why }: { key: string; why: string }) =>
    run.problem({ code: 'endorsement-suspect', message: `${key}: ${why}` });
  const believed = await believedWriters(vault, own, request, damage);
  rememberWriters(
    config,
    vault.id,
    believed.map(({ key }) => ({ key, systems: [config.name] })),
  );
}
