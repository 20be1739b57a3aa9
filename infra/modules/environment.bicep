import { Names } from 'names.bicep'
import { Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param gpu 'none' | 'T4' | 'A100'

var gpus = { T4: 'Consumption-GPU-NC8as-T4', A100: 'Consumption-GPU-NC24-A100' }

resource logs 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: names.logs
}

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' = {
  name: names.environment
  location: location
  tags: tags
  properties: {
    // By diagnostic settings: to send them straight to the workspace takes its shared key.
    appLogsConfiguration: { destination: 'azure-monitor' }
    workloadProfiles: flatten([
      [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
      gpu == 'none' ? [] : [{ name: 'gpu', workloadProfileType: gpus[gpu] }]
    ])
    zoneRedundant: false
  }
}

resource logging 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: environment
  properties: {
    workspaceId: logs.id
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}
