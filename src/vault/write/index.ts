/** Writing restore points. */
export { lastRecordOf } from './last-record.ts';
export { packWithdrawn, type WrittenRestorePoint, writeRestorePoint } from './restore-point.ts';
export { openWriter, type WriterSession } from './session.ts';
