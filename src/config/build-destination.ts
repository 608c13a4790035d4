import { resolve } from 'node:path';
import { expandable, type ReferenceContext } from './references.ts';
import type { ConfigShape } from './schema.ts';
import type { DestinationConfig, S3Credentials, S3Destination, SftpDestination } from './system.ts';

type DestinationShape = ConfigShape['destinations'][string];
type S3Shape = Extract<DestinationShape, { type: 's3' }>;
type SftpShape = Extract<DestinationShape, { type: 'sftp' }>;

/** Absolute paths, and references that wait until somebody needs what they stand for. */
export function buildDestination(shape: DestinationShape, context: ReferenceContext): DestinationConfig {
  const { price = {}, ...rest } = shape;
  switch (rest.type) {
    case 'local':
      return { ...rest, price, path: resolve(context.root, rest.path) };
    case 's3':
      return { ...buildS3(rest, context), price };
    case 'sftp':
      return { ...buildSftp(rest, context), price };
  }
}

function buildS3(shape: Omit<S3Shape, 'price'>, context: ReferenceContext): Omit<S3Destination, 'price'> {
  const { credentials, roles, lock, ...rest } = shape;
  const given = Object.entries(roles).map(([role, of]) => [role, buildCredentials(of, context)] as const);
  return {
    ...rest,
    roles: Object.fromEntries(given),
    ...(credentials && { credentials: buildCredentials(credentials, context) }),
    ...(lock && { lock: { mode: lock.mode, forMs: lock.for } }),
  };
}

function buildCredentials(shape: NonNullable<S3Shape['credentials']>, context: ReferenceContext): S3Credentials {
  if ('profile' in shape) return shape;
  const { accessKeyId, secretAccessKey, sessionToken } = shape;
  return {
    accessKeyId: expandable(accessKeyId, context, 'accessKeyId'),
    secretAccessKey: expandable(secretAccessKey, context, 'secretAccessKey'),
    ...(sessionToken !== undefined && { sessionToken: expandable(sessionToken, context, 'sessionToken') }),
  };
}

function buildSftp(shape: Omit<SftpShape, 'price'>, context: ReferenceContext): Omit<SftpDestination, 'price'> {
  const { key, passphrase, password, knownHosts, ...rest } = shape;
  return {
    ...rest,
    ...(knownHosts !== undefined && { knownHosts: resolve(context.root, knownHosts) }),
    ...(key !== undefined && { key: expandable(key, context, 'privateKey') }),
    ...(passphrase !== undefined && { passphrase: expandable(passphrase, context, 'passphrase') }),
    ...(password !== undefined && { password: expandable(password, context, 'password') }),
  };
}
