import fc from 'fast-check';
import { isLong } from './rounds.ts';

// `npm test` judges a change: it tries the same cases each time, so what fails is the change's fault. `npm run test:long` looks for new ones.
if (!isLong) fc.configureGlobal({ seed: 1 });

export default fc;
