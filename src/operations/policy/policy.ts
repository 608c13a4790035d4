import type { DestinationConfig, S3Destination, System } from '../../config/system.ts';
import { dayMs } from '../../core/duration.ts';
import { bucketProvider } from '../../core/providers.ts';
import type { Retention } from '../../core/retention.ts';
import type { Role } from '../../core/roles.ts';
import { noSuchDestination } from '../copy/errors.ts';
import { type BackblazeKey, backblazeKey } from './backblaze.ts';
import { formNotThere, policyNotThere } from './errors.ts';
import { type IamPolicy, iamPolicy } from './iam.ts';
import { type R2Token, r2Token } from './r2.ts';
import { rightsOf } from './rights.ts';
import { sshdLines } from './sshd.ts';

/** `iam`: a user's policy; `bucket`: a bucket's own, which names the user; `b2`, `r2`: what is chosen when a key is made. */
export const policyForms = ['iam', 'bucket', 'b2', 'r2', 'sshd'] as const;
export type PolicyForm = (typeof policyForms)[number];

export interface RolePolicy {
  readonly destination: string;
  readonly role: Role;
  readonly form: PolicyForm;
  /** A document for a provider, or lines of a configuration file. */
  readonly policy: IamPolicy | BackblazeKey | R2Token | string;
  /** What it does not do, and how to use it. */
  readonly notes: readonly string[];
}

export interface PolicyRequest {
  readonly destination: string;
  readonly role: Role;
  /** What fits the provider when absent. */
  readonly form?: PolicyForm;
  /** Of a bucket's policy: the user's ARN. */
  readonly principal?: string;
  /** Whether the bucket was seen to keep versions. */
  readonly versions?: boolean;
}

/** The least that `role` needs at a destination. @throws `no-such-destination`, `policy-not-there`, `policy-form-not-there` */
export function policyFor(system: System, request: PolicyRequest): RolePolicy {
  const { destination: name, role } = request;
  const config = system.destinations[name];
  if (config === undefined) throw noSuchDestination({ destination: name, known: Object.keys(system.destinations) });
  const form = request.form ?? usualForm(config);
  if (form === undefined) throw policyNotThere({ destination: name });
  const of = { destination: name, role, form };
  if (config.type === 'sftp' && form === 'sshd') return { ...of, ...sshdLines(config, role) };
  if (config.type === 's3' && form !== 'sshd') return { ...of, ...bucketPolicy(config, form, system, request) };
  throw formNotThere({ destination: name, form, type: config.type });
}

function usualForm(config: DestinationConfig): PolicyForm | undefined {
  if (config.type === 'local') return undefined;
  if (config.type === 'sftp') return 'sshd';
  const provider = config.where.provider ?? bucketProvider(config.endpoint, config.region).provider;
  if (provider === 'Backblaze B2') return 'b2';
  if (provider === 'Cloudflare R2') return 'r2';
  return provider === 'AWS' || provider === 'Wasabi' ? 'iam' : 'bucket';
}

function bucketPolicy(
  config: S3Destination,
  form: Exclude<PolicyForm, 'sshd'>,
  system: System,
  request: PolicyRequest,
): Pick<RolePolicy, 'policy' | 'notes'> {
  const { role } = request;
  if (form === 'b2') return backblazeKey(config, role);
  if (form === 'r2') return r2Token(config, role);
  const { provider } = bucketProvider(config.endpoint, config.region);
  const conditions = provider === 'AWS';
  const principal = form === 'bucket' ? (request.principal ?? `arn:aws:iam:::user/${system.name}-${role}`) : undefined;
  const policy = iamPolicy(rightsOf[role], {
    bucket: config.bucket,
    versions: request.versions ?? true,
    mostLockDays: longestDays(system),
    conditions,
    ...(config.prefix !== undefined && { prefix: config.prefix }),
    ...(config.lock && role === 'writer' && { lockDays: config.lock.forMs / dayMs }),
    ...(principal !== undefined && { principal }),
  });
  return { policy, notes: [...howTo(form, config, role, request), ...limits(config, role, conditions)] };
}

function howTo(form: 'iam' | 'bucket', { bucket }: S3Destination, role: Role, request: PolicyRequest): string[] {
  if (form === 'iam') return [`Attach it to a user of its own for the ${role}, and give that user no other policy.`];
  const named = request.principal === undefined ? ' Name your user with --principal.' : '';
  const how = `Put it on the bucket as its owner, together with those of the other roles: aws s3api put-bucket-policy --bucket ${bucket} --policy file://policy.json.${named}`;
  return [how, 'For MinIO print it with --form iam: mc admin policy create takes it.'];
}

/** What a policy of this kind cannot keep anyone from. */
function limits({ lock }: S3Destination, role: Role, conditions: boolean): string[] {
  if (role !== 'writer') return [];
  const notes: string[] = [];
  if (!conditions) {
    notes.push(
      'This store cannot be told to refuse a second version of a key: the writer may put one over an object. With versions and a lock the first one stays, is what Lifeboat reads, and the second is reported.',
    );
  }
  if (lock !== undefined) {
    const how = 'Because of lock: in lifeboat.yaml the writer needs the right to lock';
    const cap = conditions ? ', up to the length of it' : ', and this store sets no limit to it';
    notes.push(`${how}${cap}. Without: let the bucket lock by itself (default retention), and remove lock:.`);
  }
  return notes;
}

/** How far a lock is ever extended: the longest that retention keeps anything, and the time that a prune leaves. */
function longestDays({ datasets }: System): number {
  const marginDays = 90;
  return marginDays + Math.max(...Object.values(datasets).map(({ retention }) => daysOf(retention)));
}

function daysOf({ hourly, daily, weekly, monthly, yearly, withinMs = 0 }: Retention): number {
  return Math.ceil(Math.max(hourly / 24, daily, weekly * 7, monthly * 31, yearly * 366, withinMs / dayMs));
}
