import type { InvoiceDraft, Line } from './invoices.ts';

/** The invoice that a filled-in form describes, or one sentence that says what is wrong with it. */
export function readDraft(form: URLSearchParams): InvoiceDraft | string {
  const customerId = Number(form.get('customer'));
  if (!Number.isSafeInteger(customerId) || customerId < 1) return 'Choose a customer.';
  const issued = readDay(form.get('issued'));
  const due = readDay(form.get('due'));
  if (!issued || !due) return 'Give both dates as YYYY-MM-DD.';
  if (due < issued) return 'An invoice cannot be due before it is issued.';

  const quantities = form.getAll('quantity');
  const prices = form.getAll('price');
  const lines: Line[] = [];
  for (const [at, written] of form.getAll('description').slice(0, 100).entries()) {
    const description = written.trim();
    if (description === '') continue;
    const quantity = Number(quantities[at]);
    const unitCents = readCents(prices[at] ?? '');
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > 100_000) return `How many of "${description}"?`;
    if (unitCents === undefined) return `What does "${description}" cost? Write it as 12.50.`;
    lines.push({ description: description.slice(0, 500), quantity, unit_cents: unitCents });
  }
  if (lines.length === 0) return 'An invoice needs at least one line.';
  return { customerId, issued, due, note: (form.get('note') ?? '').trim().slice(0, 2000), lines };
}

function readDay(text: string | null): string | undefined {
  const day = /^\d{4}-\d{2}-\d{2}$/.exec(text ?? '')?.[0];
  const time = day === undefined ? Number.NaN : Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== day ? undefined : day;
}

/** Euros as `12` or `12.50`, up to 99,999.99. */
function readCents(text: string): number | undefined {
  const found = /^(\d{1,5})(?:\.(\d{2}))?$/.exec(text.trim());
  return found ? Number(found[1]) * 100 + Number(found[2] ?? 0) : undefined;
}
