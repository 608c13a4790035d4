import { isScalar, isSeq, parseDocument, type Scalar, type YAMLSeq } from 'yaml';

export interface RecipientsEdit {
  readonly add: ReadonlyArray<{ readonly recipient: string; readonly comment?: string }>;
  /** As they stand in the file, but for the comment of an SSH key. */
  readonly remove: readonly string[];
}

const path = ['vault', 'recipients'];

/**
 * The text of a configuration with other `vault.recipients`, everything else as it was. A list that is written one to a line is
 * changed by whole lines; any other by the YAML library, which keeps comments, but may set spaces anew.
 */
export function editRecipients(text: string, { add, remove }: RecipientsEdit): string {
  const document = parseDocument(text, { keepSourceTokens: true });
  const list = document.getIn(path, true);
  if (!isSeq(list)) throw new TypeError('a configuration that was loaded has vault.recipients');
  const isGone = (item: unknown) => isScalar(item) && remove.includes(plain(String(item.value)));
  const lines = list.flow ? undefined : editLines(text, list, isGone, add);
  if (lines !== undefined) return lines;
  list.items = list.items.filter((item) => !isGone(item));
  for (const { recipient, comment } of add) {
    const node: Scalar = document.createNode(recipient);
    if (comment !== undefined && !list.flow) node.comment = ` ${comment}`;
    list.add(node);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: /\[ /.test(text) });
}

/** Undefined where an item shares its line with anything else. */
function editLines(
  text: string,
  list: YAMLSeq,
  isGone: (item: unknown) => boolean,
  add: RecipientsEdit['add'],
): string | undefined {
  const lines = text.split('\n');
  const numbers = list.items.map((item) => (isScalar(item) && item.range ? lineOf(text, item.range[0]) : -1));
  const isLine = (at: number) => /^[ \t]*- +[^\s]/.test(lines[at] ?? '');
  if (numbers.length === 0 || numbers.some((at) => at < 0 || !isLine(at))) return undefined;
  if (new Set(numbers).size < numbers.length) return undefined;
  const last = Math.max(...numbers);
  const indent = /^[ \t]*/.exec(lines[last] ?? '')?.[0] ?? '';
  const ending = lines[last]?.endsWith('\r') ? '\r' : '';
  const added = add.map(
    ({ recipient, comment }) => `${indent}- ${recipient}${comment === undefined ? '' : ` # ${comment}`}${ending}`,
  );
  const gone = new Set(numbers.filter((_, at) => isGone(list.items[at])));
  return lines.flatMap((line, at) => [...(gone.has(at) ? [] : [line]), ...(at === last ? added : [])]).join('\n');
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length - 1;
}

function plain(recipient: string): string {
  return recipient.split(/\s+/, 2).join(' ');
}
