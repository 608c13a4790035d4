import type { IdentityContext } from './identities.ts';
import type { Output } from './output.ts';

/** What reading identities needs of a command's surroundings. */
export function identityContext(env: IdentityContext['env'], out: Output, signal: AbortSignal): IdentityContext {
  return { folder: process.cwd(), env, signal, note: (text) => out.note(out.style.warn(text)) };
}
