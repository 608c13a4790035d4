import { defineError } from '../../core/errors.ts';

export const policyNotThere = defineError({
  code: 'policy-not-there',
  about: 'person',
  exit: 64,
  say: (fact: { destination: string }) =>
    `${fact.destination} is a folder of this machine: whoever is root here may do everything with it.`,
  hint: () => 'Roles need a place that keeps them apart: a bucket, or an SSH server with an account that can only add.',
});

export const formNotThere = defineError({
  code: 'policy-form-not-there',
  about: 'person',
  exit: 64,
  say: (fact: { destination: string; form: string; type: string }) =>
    `There is no policy of the form ${fact.form} for ${fact.destination}, which is of type ${fact.type}.`,
  hint: () =>
    'Forms of s3 are iam, bucket, b2 and r2; of sftp it is sshd. Without --form the one that fits is printed.',
});
