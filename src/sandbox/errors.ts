import { defineError } from '../core/errors.ts';
import { formatSize } from '../core/size.ts';

export const sandboxTooSmall = defineError({
  code: 'sandbox-too-small',
  about: 'place',
  exit: 2,
  say: (fact: { folder: string; needsBytes: number; freeBytes: number }) =>
    `The drill needs about ${formatSize(fact.needsBytes)} in ${fact.folder}, and ${formatSize(fact.freeBytes)} are free. Nothing was restored.`,
  hint: () => 'Make room, or set LIFEBOAT_STATE_DIR to a folder on a larger disk.',
});

export const sandboxNotIsolated = defineError({
  code: 'sandbox-not-isolated',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) =>
    `Nothing of the application was started, for nothing would keep it from this host: ${fact.why}.`,
  hint: () =>
    "Install bubblewrap (apt-get install bubblewrap) and run the drill as root or where user namespaces are allowed. On a machine that may be lost, 'lifeboat drill --without-isolation' starts it all the same.",
});

export const sandboxLimit = defineError({
  code: 'sandbox-limit',
  about: 'place',
  exit: 2,
  say: (fact: { why: string; next: string }) => `What ran in the sandbox was ended: ${fact.why}.`,
  hint: (fact) => `${fact.next}.`,
});

export const sandboxFailed = defineError({
  code: 'sandbox-failed',
  about: 'place',
  exit: 2,
  say: (fact: { doing: string; why: string }) => `The sandbox could not ${fact.doing}: ${fact.why}.`,
  hint: () => "The backup is not at fault. Run 'lifeboat gc' and then the drill again.",
});

export const sandboxServerMissing = defineError({
  code: 'sandbox-server-missing',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; needs: string; found: string; debianPackage: string }) =>
    `The restore point needs a ${fact.server} server of version ${fact.needs} or newer to be restored into; found here: ${fact.found}.`,
  hint: (fact) => `Install one: apt-get install ${fact.debianPackage} (its programs are enough, no cluster is needed).`,
});
