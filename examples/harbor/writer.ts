/**
 * A busy day at Harbor: adds invoices, every fifth with a document, until SIGTERM or `--invoices` of them.
 * `writer.ts --log FILE [--pause-ms 5] [--invoices N]`: FILE gets one line with the id of each invoice after it was committed
 * whole, so that a test can compare what was promised with what a restore brought back.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openDatabase } from './database.ts';
import { makePdf } from './documents.ts';
import { createInvoice } from './invoices.ts';
import { seededRandom } from './random.ts';
import { readSettings } from './settings.ts';
import { storeUpload } from './uploads.ts';

const { values: options } = parseArgs({
  options: {
    log: { type: 'string' },
    'pause-ms': { type: 'string', default: '5' },
    invoices: { type: 'string', default: '1000000' },
  },
});
if (!options.log) throw new Error('--log FILE is missing: where the ids of committed invoices go.');

const settings = readSettings();
const database = await openDatabase(settings.database);
const random = seededRandom(1802);
let stopped = false;
process.once('SIGTERM', () => {
  stopped = true;
});

try {
  for (let made = 0; made < Number(options.invoices) && !stopped; made++) {
    const now = new Date();
    const today = now.toISOString().slice(0, 10);
    const lines = Array.from({ length: random.between(1, 4) }, (_, at) => ({
      description: `Container ${random.between(1000, 9999)}, row ${at + 1}`,
      quantity: random.between(1, 9),
      unit_cents: random.between(900, 40_000),
    }));
    const draft = { customerId: 1, issued: today, due: today, note: 'while the backup ran', lines };
    const id = await createInvoice(database, draft, now);
    if (made % 5 === 0) {
      const bytes = makePdf(`Waybill of invoice ${id}`, [`made ${now.toISOString()}`]);
      await storeUpload(database, settings.uploadsDir, { invoiceId: id, fileName: `waybill-${id}.pdf`, bytes }, now);
    }
    appendFileSync(options.log, `${id}\n`);
    await pause(Number(options['pause-ms']));
  }
} finally {
  await database.close();
}
