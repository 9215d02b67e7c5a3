/** How a vital sign is shown; keys are LOINC codes. */
export type VitalSignView = { name: string; unit: string; digits: number };

const VITAL_SIGNS: Record<string, VitalSignView> = {
  '8867-4': { name: 'Heart rate', unit: '/min', digits: 0 },
  '9279-1': { name: 'Respiratory rate', unit: '/min', digits: 0 },
  '59408-5': { name: 'Oxygen saturation', unit: '%', digits: 0 },
  '8310-5': { name: 'Body temperature', unit: '°C', digits: 1 },
  '8480-6': { name: 'Systolic blood pressure', unit: 'mmHg', digits: 0 },
  '8462-4': { name: 'Diastolic blood pressure', unit: 'mmHg', digits: 0 },
  '55423-8': { name: 'Steps', unit: '', digits: 0 },
  '80404-7': { name: 'Heart rate variability', unit: 'ms', digits: 0 },
};

/** Codes in the order in which they are charted. */
export const VITAL_SIGN_ORDER = Object.keys(VITAL_SIGNS);

export function vitalSign(code: string): VitalSignView {
  return VITAL_SIGNS[code] ?? { name: `LOINC ${code}`, unit: '', digits: 1 };
}
