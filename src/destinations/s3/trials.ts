import { createHash } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Bucket } from './bucket.ts';
import type { Sending } from './existing.ts';
import { refusalOf, saysDenied, saysUnknown } from './failure.ts';

/** The signature covers this hash, so that the store must compare it with what it received. */
export function signHash(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'lifeboatSignedHash', priority: 'low' },
  );
}

/** Whether a body that is not the signed one is refused: sent once, small, and gone again where it was not. */
export async function tryWrongHash(bucket: Bucket): Promise<void> {
  const key = `probe/${createHash('sha256').update(`${bucket.client.storeNow()}`).digest('hex').slice(0, 26)}`;
  const body = Buffer.from('not what was signed');
  const command = new PutObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    Body: body,
    // A policy may refuse whatever comes without.
    ...(bucket.features.conditional === 'yes' && { IfNoneMatch: '*' }),
  });
  signHash(command, createHash('sha256').update('what was signed').digest('hex'));
  bucket.features.checked = await bucket.ask(
    async (s3): Promise<'no'> => {
      const { VersionId } = await s3.send(command);
      const named = {
        Bucket: command.input.Bucket,
        Key: command.input.Key,
        ...(VersionId !== undefined && { VersionId }),
      };
      // Where it may not be removed it stays; below probe/ it harms nobody.
      await s3.send(new DeleteObjectCommand(named)).catch(() => {});
      return 'no';
    },
    (error) => {
      const { status, code } = refusalOf(error);
      return status === 400 && /SHA256|Digest|Checksum/i.test(code) ? 'yes' : saysDenied(error) ? 'no' : undefined;
    },
  );
}

/**
 * Whether a second creation of `key` would be refused. What is sent can never be stored: its hash is not the signed one. A
 * store that looks at the hash first stays unproved, and is treated as one that does not refuse.
 */
export async function tryConditional(bucket: Bucket, { key, body }: Sending): Promise<void> {
  const { features } = bucket;
  if (features.checked !== 'yes') {
    features.conditional = 'no';
    return;
  }
  const command = new PutObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    Body: body,
    IfNoneMatch: '*',
  });
  signHash(command, createHash('sha256').update(body).update('and more').digest('hex'));
  await bucket.ask<unknown>(
    (s3) => s3.send(command),
    (error) => {
      const { status } = refusalOf(error);
      if (status === undefined || status >= 500) return saysUnknown(error) ? true : undefined;
      if (status === 412 || status === 409) features.conditional = 'yes';
      return true;
    },
  );
  if (features.conditional === 'unknown') features.conditional = 'no';
}
