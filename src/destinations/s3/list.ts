import {
  type DeleteMarkerEntry,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
} from '@aws-sdk/client-s3';
import type { Listed, Version } from '../destination.ts';
import { isKey } from '../key.ts';
import { tryAgain } from '../wrap/retry.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { failureOf } from './failure.ts';

/** In a page; no store gives more. */
const mostKeys = 1000;

/** Each page is tried again by itself: what was handed out before it is not handed out twice. */
export async function* list(bucket: Bucket, prefix: string): AsyncGenerator<Listed> {
  let token: string | undefined;
  do {
    const command = () =>
      new ListObjectsV2Command({
        Bucket: bucket.bucket,
        MaxKeys: mostKeys,
        Prefix: bucket.objectKey(prefix),
        ...(token !== undefined && { ContinuationToken: token }),
      });
    const page = await tryAgain(() => bucket.call((s3) => s3.send(command())));
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      const key = bucket.keyOf(Key);
      if (key !== undefined && isKey(key)) yield { key, sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 };
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
    if (page.IsTruncated && !token) throw failureOf(notAStore(), bucket);
  } while (token !== undefined);
}

/** Those of one key together, newest first. `prefix` may also be the beginning of a name. */
export async function* listVersions(bucket: Bucket, prefix: string): AsyncGenerator<Version> {
  let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const input: VersionsInput = {
      Bucket: bucket.bucket,
      MaxKeys: mostKeys,
      Prefix: bucket.objectKey(prefix),
      ...from,
    };
    const page: Page = await tryAgain(() => versionsPage(bucket, input));
    for (const version of page.versions) if (isKey(version.key)) yield version;
    from = page.next;
  }
}

type VersionsInput = ConstructorParameters<typeof ListObjectVersionsCommand>[0];

interface Page {
  readonly versions: readonly Version[];
  readonly next: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined;
}

/**
 * The SDK hands out versions and delete markers apart, and their times may be equal: which hides which is only in the order of
 * the answer's text.
 */
async function versionsPage(bucket: Bucket, input: VersionsInput): Promise<Page> {
  const command = new ListObjectVersionsCommand(input);
  let order = new Map<string, number>();
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { body: AsyncIterable<Uint8Array> | Uint8Array };
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body as AsyncIterable<Uint8Array>) pieces.push(piece);
      const text = Buffer.concat(pieces);
      order = orderOf(text.toString());
      response.body = text;
      return result;
    },
    { step: 'deserialize', name: 'lifeboatOrder', priority: 'low' },
  );
  const page = await bucket.call((s3) => s3.send(command));
  // A listing that merely looks complete would have a prune believe that nothing else is there.
  if (page.IsTruncated && !page.NextKeyMarker) throw failureOf(notAStore(), bucket);
  const place = ({ key, version }: Version) => order.get(`${bucket.objectKey(key)}\n${version}`) ?? order.size;
  return {
    versions: versionsIn(bucket, page).sort((a, b) => place(a) - place(b)),
    next: page.IsTruncated
      ? {
          ...(page.NextKeyMarker !== undefined && { KeyMarker: page.NextKeyMarker }),
          ...(page.NextVersionIdMarker !== undefined && { VersionIdMarker: page.NextVersionIdMarker }),
        }
      : undefined,
  };
}

function orderOf(text: string): Map<string, number> {
  const order = new Map<string, number>();
  for (const [, , inside] of text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
    const key = /<Key>(.*?)<\/Key>/s.exec(inside!)?.[1];
    const version = /<VersionId>(.*?)<\/VersionId>/s.exec(inside!)?.[1];
    order.set(`${key}\n${version}`, order.size);
  }
  return order;
}

function versionsIn(bucket: Bucket, { Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput): Version[] {
  const build = (one: ObjectVersion | DeleteMarkerEntry, sizeBytes: number, isDeleteMarker: boolean): Version[] => {
    const key = bucket.keyOf(one.Key ?? '');
    if (key === undefined) return [];
    const { VersionId: version = 'null', IsLatest: isLatest = false, LastModified } = one;
    return [{ key, version, isLatest, isDeleteMarker, sizeBytes, modifiedMs: LastModified?.getTime() ?? 0 }];
  };
  return [
    ...Versions.flatMap((one) => build(one, one.Size ?? 0, false)),
    ...DeleteMarkers.flatMap((one) => build(one, 0, true)),
  ];
}
