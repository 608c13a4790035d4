import { everyName, type Rights } from './rights.ts';

export interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: { readonly AWS: readonly string[] };
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface IamPolicy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

export interface IamPlace {
  readonly bucket: string;
  /** Keys begin with it and `/`. */
  readonly prefix?: string;
  /** The bucket keeps versions: then only versions are removed, and nobody may hide an object. */
  readonly versions: boolean;
  /** Objects are locked by the request that stores them (`lock:`), for so many days at most. */
  readonly lockDays?: number;
  /** The furthest that a lock may be extended, in days. */
  readonly mostLockDays: number;
  /** The store evaluates `s3:if-none-match` and `s3:object-lock-remaining-retention-days` (Amazon does). */
  readonly conditions: boolean;
  /** Of a bucket's own policy: whom it is about. */
  readonly principal?: string;
}

/** A policy as Amazon words it, and as Wasabi, MinIO and Ceph read it. */
export function iamPolicy(rights: Rights, place: IamPlace): IamPolicy {
  const bucket = `arn:aws:s3:::${place.bucket}`;
  const start = place.prefix === undefined ? '' : `${place.prefix}/`;
  const objects = (names: readonly string[]) => names.map((name) => `${bucket}/${start}${name}`);
  const all: (Statement | undefined)[] = [
    {
      Sid: 'AskWhatTheBucketCan',
      ...allow(['s3:GetBucketVersioning', 's3:GetBucketObjectLockConfiguration'], [bucket]),
    },
    {
      Sid: 'List',
      ...allow(['s3:ListBucket', 's3:ListBucketVersions'], [bucket]),
      ...(start !== '' && { Condition: { StringLike: { 's3:prefix': [`${start}*`] } } }),
    },
    { Sid: 'Read', ...allow(['s3:GetObject', 's3:GetObjectVersion'], objects(rights.read)) },
    {
      Sid: 'Create',
      ...allow(['s3:PutObject'], objects(rights.create)),
      // Without the header that refuses a key that exists, nothing is stored: nobody overwrites.
      ...(place.conditions && { Condition: { Null: { 's3:if-none-match': 'false' } } }),
    },
    lockAtBirth(rights, place, objects),
    rights.remove.length === 0
      ? undefined
      : {
          Sid: 'Remove',
          ...allow([place.versions ? 's3:DeleteObjectVersion' : 's3:DeleteObject'], objects(rights.remove)),
        },
    rights.seeLocks && place.versions
      ? { Sid: 'SeeLocks', ...allow(['s3:GetObjectRetention'], objects(['*'])) }
      : undefined,
    rights.extendLocks && place.versions
      ? {
          Sid: 'ExtendLocks',
          ...allow(['s3:PutObjectRetention'], objects(['*'])),
          ...atMost(place, place.mostLockDays),
        }
      : undefined,
  ];
  const { principal } = place;
  const statements = all.filter((statement) => statement !== undefined);
  if (principal === undefined) return { Version: '2012-10-17', Statement: statements };
  const named = ({ Sid, Effect, ...rest }: Statement) => ({ Sid, Effect, Principal: { AWS: [principal] }, ...rest });
  return { Version: '2012-10-17', Statement: [...statements, ...forbidden(rights, place, objects)].map(named) };
}

/**
 * Where users store into another's bucket, each owns what it stored, and an owner may read and share it whatever is allowed:
 * only what is denied is out of reach.
 */
function forbidden(rights: Rights, place: IamPlace, objects: (names: readonly string[]) => string[]): Statement[] {
  const but = (names: readonly string[]) => objects(everyName.filter((name) => !names.includes(name)));
  const locks = ['s3:PutObjectLegalHold', 's3:BypassGovernanceRetention'];
  const mayLock = rights.extendLocks || place.lockDays !== undefined;
  const all: (Statement | undefined)[] = [
    deny('NoOtherReading', ['s3:GetObject', 's3:GetObjectVersion'], but(rights.read)),
    deny('NoOtherRemoval', ['s3:DeleteObjectVersion'], but(place.versions ? rights.remove : [])),
    deny('NoHiding', ['s3:DeleteObject'], place.versions ? objects(everyName) : but(rights.remove)),
    deny('NoSharing', ['s3:PutObjectAcl', 's3:PutObjectVersionAcl'], objects(['*'])),
    deny('NoOtherLocking', [...(mayLock ? [] : ['s3:PutObjectRetention']), ...locks], objects(['*'])),
  ];
  return all.filter((statement) => statement !== undefined);
}

function deny(Sid: string, Action: readonly string[], Resource: readonly string[]): Statement | undefined {
  return Resource.length === 0 ? undefined : { Sid, Effect: 'Deny', Action, Resource };
}

/** A request that stores and locks at once needs the right to lock; a bucket that locks by itself spares it. */
function lockAtBirth(
  { create }: Rights,
  place: IamPlace,
  objects: (names: readonly string[]) => string[],
): Statement | undefined {
  if (place.lockDays === undefined) return undefined;
  return { Sid: 'LockAtBirth', ...allow(['s3:PutObjectRetention'], objects(create)), ...atMost(place, place.lockDays) };
}

/** Who may lock without end could make a bucket cost without end. */
function atMost({ conditions }: IamPlace, days: number): Pick<Statement, 'Condition'> {
  if (!conditions) return {};
  // A part of a day counts as one.
  const most = { 's3:object-lock-remaining-retention-days': String(Math.ceil(days) + 1) };
  return { Condition: { NumericLessThanEquals: most } };
}

function allow(Action: readonly string[], Resource: readonly string[]) {
  return { Effect: 'Allow', Action, Resource } as const;
}
