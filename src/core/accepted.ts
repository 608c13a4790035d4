import { isUnread } from './gaps.ts';

/** A warning that stays and is right so, by the code of it, or by dataset and code: `app-db/role-passwords-absent`. `reason` is never empty. */
export interface AcceptedWarning {
  readonly what: string;
  readonly reason: string;
}

/** What could not be read is no warning: nobody accepts for good that data is missing. */
export function isAccepted(accepted: readonly AcceptedWarning[], code: string, dataset?: string): boolean {
  return !isUnread(code) && accepted.some(({ what }) => what === code || what === `${dataset}/${code}`);
}
