import {
  type DeleteMarkerEntry,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
} from '@aws-sdk/client-s3';
import type { Listed, Version } from '../destination.ts';
import { isKey } from '../key.ts';
import { listingGuard } from '../listing-bounds.ts';
import { tryAgain } from '../wrap/retry.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { failureOf } from './failure.ts';

/** In a page; no store gives more. */
const mostKeys = 1000;

/** Each page is tried again by itself: what was handed out before it is not handed out twice. */
export async function* list(bucket: Bucket, prefix: string): AsyncGenerator<Listed> {
  const guard = listingGuard(bucket, prefix, bucket.listing);
  const inOrder = ascending(bucket);
  let token: string | undefined;
  do {
    const command = () =>
      new ListObjectsV2Command({
        Bucket: bucket.bucket,
        MaxKeys: mostKeys,
        Prefix: bucket.objectKey(prefix),
        ...(token !== undefined && { ContinuationToken: token }),
      });
    let next: string | undefined;
    const contents = await guard.page(async () => {
      const page = await tryAgain(() => bucket.call((s3) => s3.send(command())));
      // A listing that merely looks complete would have a prune believe that nothing else is there.
      next = page.IsTruncated ? (page.NextContinuationToken ?? '') : undefined;
      return page.Contents ?? [];
    });
    for (const { Key = '', Size = 0, LastModified } of contents) {
      const key = bucket.keyOf(Key);
      if (key === undefined || !key.startsWith(prefix) || !isKey(key)) continue;
      inOrder(key);
      yield { key, sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 };
    }
    if (next === '' || (next !== undefined && next === token)) throw failureOf(notAStore(), bucket);
    token = next;
  } while (token !== undefined);
}

/** Those of one key together, newest first. `prefix` may also be the beginning of a name. */
export async function* listVersions(bucket: Bucket, prefix: string): AsyncGenerator<Version> {
  const guard = listingGuard(bucket, prefix, bucket.listing);
  const inOrder = ascending(bucket);
  let last: string | undefined;
  let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const input: VersionsInput = {
      Bucket: bucket.bucket,
      MaxKeys: mostKeys,
      Prefix: bucket.objectKey(prefix),
      ...from,
    };
    let next: Page['next'];
    const versions: readonly Version[] = await guard.page(async () => {
      const page = await tryAgain(() => versionsPage(bucket, input));
      next = page.next;
      return page.versions;
    });
    for (const version of versions) {
      if (!version.key.startsWith(prefix) || !isKey(version.key)) continue;
      if (version.key !== last) inOrder(version.key);
      last = version.key;
      yield version;
    }
    if (next !== undefined && next.KeyMarker === from.KeyMarker && next.VersionIdMarker === from.VersionIdMarker) {
      throw failureOf(notAStore(), bucket);
    }
    from = next;
  }
}

/** Stores list in the order of the names. One that goes back lists for ever, or takes versions of one name apart. */
function ascending(bucket: Bucket): (key: string) => void {
  let before = '';
  return (key) => {
    if (key <= before) throw failureOf(notAStore(), bucket);
    before = key;
  };
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
      // Taken as a whole by the client, which looks at its size.
      const { body } = result.response as { readonly body: Uint8Array };
      order = orderOf(Buffer.from(body).toString());
      return result;
    },
    { step: 'deserialize', name: 'lifeboatOrder' },
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

/** Goes through the text once: what is not closed must not be looked for again from every beginning. */
function orderOf(text: string): Map<string, number> {
  const order = new Map<string, number>();
  let key: string | undefined;
  let version: string | undefined;
  for (const [, begins, ends, name, value] of text.matchAll(marks)) {
    if (begins !== undefined) [key, version] = [undefined, undefined];
    else if (name === 'Key') key ??= value;
    else if (name === 'VersionId') version ??= value;
    else if (ends !== undefined) order.set(`${key}\n${version}`, order.size);
  }
  return order;
}

/** Values end before the next `<`, so each is looked through once. */
const marks = /<(Version|DeleteMarker)>|<\/(Version|DeleteMarker)>|<(Key|VersionId)>([^<]*)<\/(?:Key|VersionId)>/g;

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
