/** Starts Harbor in a folder, signs in, opens invoice 1 and its first document; prints what was seen, as JSON. */
import { createHash } from 'node:crypto';
import { startHarbor } from '../../examples/visit.ts';

const [folder = '', email = '', password = ''] = process.argv.slice(2);
const visit = await startHarbor({ PATH: process.env.PATH ?? '' }, folder);
try {
  await visit.signIn(email, password);
  const invoice = await (await visit.get('/invoices/1')).text();
  const upload = await visit.get(/href="(\/uploads\/\d+)"/.exec(invoice)?.[1] ?? '/no-upload');
  const bytes = Buffer.from(await upload.arrayBuffer());
  const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
  console.log(
    JSON.stringify({ invoice: sha256(invoice), upload: sha256(bytes), status: upload.status, bytes: bytes.length }),
  );
} finally {
  await visit.stop();
}
