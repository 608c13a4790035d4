import { isScalar, isSeq, parseDocument } from 'yaml';

/** What the comment beside each of `vault.recipients` says: `offline, in a safe`. People know their keys by it. */
export function recipientLabels(text: string): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  const list = parseDocument(text, { logLevel: 'silent' }).getIn(['vault', 'recipients'], true);
  if (!isSeq(list)) return labels;
  for (const item of list.items) {
    const label = isScalar(item) ? item.comment?.split('\n')[0]?.trim() : undefined;
    if (label)
      labels.set(
        String((item as { value: unknown }).value)
          .split(/\s+/, 2)
          .join(' '),
        label.slice(0, 60),
      );
  }
  return labels;
}
