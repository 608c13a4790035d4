import { cellOf, hashOf, noCell, sampleSize, startSample, type TableSample } from '../../core/sample.ts';

/** A few rows of a table, from their texts as the checksum takes them. */
export interface RowSample {
  add(text: Uint8Array): void;
  sample(): TableSample;
}

const [comma, colon, ofText, ofNull, ofBlob] = [...Buffer.from(',:tnb')];

/** `key` names the columns of the primary key; the first column stands in for one. */
export function startRowSample(columns: readonly string[], primary: readonly string[]): RowSample {
  const key = primary.length > 0 ? primary : columns.slice(0, 1);
  const places = key.map((name) => columns.indexOf(name));
  const fields = Math.max(...places) + 1;
  const sampling = startSample<Uint8Array>(sampleSize);
  return {
    add(text) {
      const found = fieldsOf(text, fields);
      const hash =
        places.length === 1
          ? hashOf(text, found[places[0]! * 2]!, found[places[0]! * 2 + 1]!)
          : hashOf(Buffer.concat(places.map((at) => text.subarray(found[at * 2]!, found[at * 2 + 1]! + 1))));
      if (sampling.wants(hash)) sampling.add(hash, Uint8Array.from(text));
    },
    sample: () => sampling.sample(key, columns, (text) => cellsOf(text, columns.length)),
  };
}

function cellsOf(text: Uint8Array, columns: number): string {
  const found = fieldsOf(text, columns);
  return Array.from({ length: columns }, (_, at) => {
    const [from, to] = [found[at * 2]!, found[at * 2 + 1]!];
    const type = text[from];
    if (type === ofNull) return noCell;
    const value = text.subarray(type === ofText ? text.indexOf(colon!, from) + 1 : from + 1, to);
    return type === ofBlob ? cellOf(value, 'x') : cellOf(value);
  }).join('');
}

/** Where each of the first fields begins and ends: at its comma. */
function fieldsOf(text: Uint8Array, count: number): number[] {
  const found: number[] = [];
  for (let [field, at] = [0, 0]; field < count; field++) {
    let end = at;
    if (text[at] === ofText) {
      let size = 0;
      for (end = at + 1; text[end] !== colon; end++) size = size * 10 + text[end]! - 48;
      end += 1 + size;
    } else while (text[end] !== comma) end++;
    found.push(at, end);
    at = end + 1;
  }
  return found;
}
