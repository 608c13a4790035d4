import type { Extent, FirstEntry } from '../format/manifest.ts';

/** A pack while it is being made; `id` is known once it is sealed. */
export interface PackHandle {
  id: string | undefined;
}

/** Where a chunk is or will be. `pack` is known once its frame was compressed, `pack.id` once the pack was sealed. */
export interface Place {
  pack: PackHandle | undefined;
  offset: number;
  readonly length: number;
}

/** The content of one entry while its chunks find their places. */
export interface PendingContent {
  sizeBytes: number;
  sha256: string;
  /** Holes may lie between the chunks: none becomes an extent before the layout is known. */
  readonly holes: boolean;
  /** Chunks in order, those before `resolved` already turned into extents. */
  places: Place[];
  /** Alternating chunks and zero bytes; undefined while the content is still being cut. */
  layout: readonly number[] | undefined;
  readonly extents: Piece[];
  /** Of the body: for each of `places`, the first entry that begins in it. */
  firsts?: (FirstEntry | undefined)[];
}

/** An extent, and of the body the first entry that begins in it. */
type Piece = Extent & { readonly first?: FirstEntry };

export function pendingContent(holes = false): PendingContent {
  return { sizeBytes: 0, sha256: '', holes, places: [], layout: undefined, extents: [] };
}

/**
 * Turns places whose packs are sealed into extents, joining neighbours. A content without holes is resolved as it grows, so
 * that a huge dump does not keep a million places. True when everything is resolved.
 */
export function resolve(content: PendingContent): boolean {
  const { layout } = content;
  if (content.holes && layout === undefined) return false;
  if (layout !== undefined && layout.length > 1) return resolveWithHoles(content, layout);
  let done = 0;
  for (; done < content.places.length; done++) {
    const place = content.places[done]!;
    if (place.pack?.id === undefined) break;
    append(content.extents, place.pack.id, place.offset, place.length, content.firsts?.[done]);
  }
  if (done > 0) {
    content.places = content.places.slice(done);
    if (content.firsts !== undefined) content.firsts = content.firsts.slice(done);
  }
  return layout !== undefined && content.places.length === 0;
}

function resolveWithHoles(content: PendingContent, layout: readonly number[]): boolean {
  if (content.places.some((place) => place.pack?.id === undefined)) return false;
  let next = 0;
  layout.forEach((amount, index) => {
    if (index % 2 === 1) {
      if (amount > 0) append(content.extents, null, 0, amount);
      return;
    }
    for (let count = 0; count < amount; count++) {
      const place = content.places[next++]!;
      append(content.extents, place.pack!.id!, place.offset, place.length);
    }
  });
  content.places = [];
  content.layout = [];
  return true;
}

function append(extents: Piece[], pack: string | null, offset: number, length: number, begins?: FirstEntry): void {
  const last = extents.at(-1);
  const adjoins = last?.pack === pack && (pack === null || last.offset + last.length === offset);
  if (last !== undefined && adjoins) {
    const first = last.first ?? (begins && { at: last.length + begins.at, path: begins.path });
    extents[extents.length - 1] = { pack, offset: last.offset, length: last.length + length, ...(first && { first }) };
  } else {
    extents.push({ pack, offset, length, ...(begins && { first: begins }) });
  }
}
