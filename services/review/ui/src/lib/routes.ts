/** Links that features give to one another; none holds anything of a patient. */
export const worklistHref = '#/';

export function caseHref(id: string): string {
  return `#/case/${encodeURIComponent(id)}`;
}
