import type { System } from '../config/system.ts';
import { systemClock } from '../core/clock.ts';
import type { OpenSystem } from '../operations/system.ts';
import type { CommandContext, CommonOptions } from './command.ts';
import type { GivenKeys } from './identities.ts';
import { identityContext } from './identity-context.ts';
import type { Output } from './output.ts';

export interface Loaded extends Pick<CommandContext<unknown>, 'config' | 'system' | 'identities' | 'keys'> {
  /** Closes what was opened. */
  close(): Promise<void>;
}

/** The configuration, the system and the identities, each at most once and only when a command asks. */
export function loadedOnce(
  common: CommonOptions,
  env: Readonly<Record<string, string | undefined>>,
  out: Output,
  signal: AbortSignal,
): Loaded {
  let config: Promise<System> | undefined;
  let system: Promise<OpenSystem> | undefined;
  let keys: Promise<GivenKeys> | undefined;
  const load = async () => {
    // The schema library alone takes longer to load than `--help` may take.
    const { loadSystem } = await import('../config/load.ts');
    return loadSystem(common.config, env);
  };
  const open = async () => {
    const loaded = await configOnce();
    const { refuseUnconfirmed } = await import('../operations/confirmed.ts');
    refuseUnconfirmed(loaded);
    const { openSystem } = await import('../operations/system.ts');
    return openSystem(loaded, { clock: systemClock, signal });
  };
  const read = async () => {
    // With it come all of age's ciphers.
    const { readKeys } = await import('./identities.ts');
    return readKeys(common.identity, identityContext(env, out, signal));
  };
  const configOnce = () => {
    config ??= load();
    return config;
  };
  const keysOnce = () => {
    keys ??= read();
    return keys;
  };
  return {
    config: configOnce,
    system() {
      system ??= open();
      return system;
    },
    keys: keysOnce,
    identities: async () => (await keysOnce()).identities,
    async close() {
      const opened = await system?.catch(() => undefined);
      opened?.[Symbol.dispose]();
    },
  };
}
