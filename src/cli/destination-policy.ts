import { type Role, roles } from '../core/roles.ts';
import { type PolicyForm, policyFor, policyForms, type RolePolicy } from '../operations/policy/policy.ts';
import { defineCommand, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';

const command = 'lifeboat destination policy';

export const destinationPolicy = defineCommand({
  words: '<destination>',
  description: `The least that a role needs at a destination, as its provider wants it: the writer (this host) creates and cannot read
data, delete or shorten a lock; the keeper extends locks; the pruner deletes what is no longer locked; the reader reads.
Standard output is the document alone, so that it can be saved; how to use it is said beside it.`,
  options: {
    role: value('<role>', 'writer, keeper, pruner or reader', parseRole),
    form: value('<form>', 'iam, bucket, b2, r2 or sshd, when the one that fits the provider is not wanted', parseForm),
    principal: value('<arn>', "the user's ARN, in a bucket's policy"),
  },
  async run({ words, options: { role, form, principal }, config, out }) {
    if (role === undefined) throw usageWrong({ what: `--role is missing: ${roles.join(', ')}.`, command });
    const policy = policyFor(await config(), {
      destination: words[0]!,
      role,
      ...(form !== undefined && { form }),
      ...(principal !== undefined && { principal }),
    });
    out.answer(policy, policyText);
    for (const note of policy.notes) out.note(note);
    return exitCodes.ok;
  },
});

function policyText({ policy }: RolePolicy): string {
  return typeof policy === 'string' ? policy : JSON.stringify(policy, undefined, 2);
}

function parseRole(text: string): Role {
  const role = roles.find((one) => one === text);
  if (role === undefined) throw usageWrong({ what: `'${text}' is no role: ${roles.join(', ')}.`, command });
  return role;
}

function parseForm(text: string): PolicyForm {
  const form = policyForms.find((one) => one === text);
  if (form === undefined) throw usageWrong({ what: `'${text}' is no form: ${policyForms.join(', ')}.`, command });
  return form;
}
