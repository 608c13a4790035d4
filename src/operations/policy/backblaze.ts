import type { S3Destination } from '../../config/system.ts';
import type { Role } from '../../core/roles.ts';
import type { RolePolicy } from './policy.ts';

/** What an application key of Backblaze B2 is made with. */
export interface BackblazeKey {
  readonly keyName: string;
  readonly bucketName: string;
  readonly namePrefix?: string;
  readonly capabilities: readonly string[];
}

const ask = ['listBuckets', 'readBuckets', 'readBucketRetentions', 'listFiles', 'readFiles'];

const capabilities: Readonly<Record<Role, readonly string[]>> = {
  writer: [...ask, 'writeFiles'],
  keeper: [...ask, 'writeFiles', 'readFileRetentions', 'writeFileRetentions'],
  pruner: [...ask, 'writeFiles', 'deleteFiles', 'readFileRetentions'],
  reader: [...ask, 'writeFiles', 'readFileRetentions'],
};

export function backblazeKey(
  { bucket, prefix, lock }: S3Destination,
  role: Role,
): Pick<RolePolicy, 'policy' | 'notes'> {
  const locks = role === 'writer' && lock !== undefined ? ['writeFileRetentions'] : [];
  const keyName = `lifeboat-${role}`;
  const all = [...capabilities[role], ...locks];
  const policy: BackblazeKey = {
    keyName,
    bucketName: bucket,
    ...(prefix !== undefined && { namePrefix: `${prefix}/` }),
    capabilities: all,
  };
  const start = prefix === undefined ? '' : ` --name-prefix ${prefix}/`;
  return {
    policy,
    notes: [
      `b2 key create --bucket ${bucket}${start} ${keyName} ${all.join(',')}`,
      'B2 cannot part folders of one bucket: this key reads the packs too (they are encrypted), and writes under every name. What it puts over an object, or hides, is a version more: the first one stays, and is what Lifeboat reads.',
      ...(locks.length > 0
        ? [
            'Because of lock: the writer may extend locks without end. Let the bucket lock by itself (default retention), and remove lock:.',
          ]
        : []),
    ],
  };
}
