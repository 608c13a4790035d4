import type { System } from '../config/system.ts';
import type { CommandContext, CommonOptions } from './command.ts';
import { readIdentities } from './identities.ts';
import type { Output } from './output.ts';

/** The configuration and the identities, each read at most once and only when a command asks. */
export function loadedOnce(
  common: CommonOptions,
  env: Readonly<Record<string, string | undefined>>,
  out: Output,
): Pick<CommandContext<unknown>, 'system' | 'identities'> {
  let system: Promise<System> | undefined;
  let identities: Promise<readonly string[]> | undefined;
  const load = async () => {
    // The schema library alone takes longer to load than `--help` may take.
    const { loadSystem } = await import('../config/load.ts');
    return loadSystem(common.config, env);
  };
  return {
    system() {
      system ??= load();
      return system;
    },
    identities() {
      identities ??= readIdentities(common.identity, process.cwd(), (text) => out.note(out.style.warn(text)));
      return identities;
    },
  };
}
