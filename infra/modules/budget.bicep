import { Names } from 'names.bicep'

param names Names
param monthly int
param mails string[]

@description('The first of the month in which the budget begins; it can\'t be changed later.')
param start string

// A budget without contacts would tell nobody but the group's owners, who are told anyway.
var notice = { enabled: true, operator: 'GreaterThanOrEqualTo', contactEmails: mails, contactRoles: ['Owner'] }

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: names.budget
  properties: {
    amount: monthly
    category: 'Cost'
    timeGrain: 'Monthly'
    timePeriod: { startDate: start }
    notifications: {
      spent: { ...notice, threshold: 80, thresholdType: 'Actual' }
      expected: { ...notice, threshold: 100, thresholdType: 'Forecasted' }
    }
  }
}
