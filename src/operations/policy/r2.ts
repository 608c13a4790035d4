import type { S3Destination } from '../../config/system.ts';
import type { Role } from '../../core/roles.ts';
import type { RolePolicy } from './policy.ts';

/** What an API token of Cloudflare R2 is made with. */
export interface R2Token {
  readonly permission: 'Object Read only' | 'Object Read & Write';
  readonly bucket: string;
}

export function r2Token({ bucket }: S3Destination, role: Role): Pick<RolePolicy, 'policy' | 'notes'> {
  const permission = role === 'reader' ? 'Object Read only' : 'Object Read & Write';
  const notes = [`Dashboard: R2, Manage API tokens, ${permission}, applied to the bucket ${bucket} only.`];
  if (role === 'reader') {
    notes.push('With it a drill cannot store its evidence here; it is stored at the other destinations and copied.');
  } else {
    notes.push(
      'R2 knows no finer permission: this token also deletes and overwrites, and reads the packs (they are encrypted). R2 keeps no versions and no locks of single objects, so put a bucket lock rule on the bucket (Settings, Bucket lock rules) for at least as long as retention keeps anything: nobody deletes or overwrites younger objects then.',
    );
  }
  return { policy: { permission, bucket }, notes };
}
