// The settings of a deployment: `azd env set R1_STAGE prod` takes the second set instead of the first. Change them here.

import { Settings } from 'modules/types.bicep'

@export()
@description('Cheap: nothing runs at idle but one small gateway.')
var dev Settings = {
  transport: 'storage'
  gatewayHome: 'containerapps'
  gpu: 'none'
  worker: {
    minReplicas: 0
    maxReplicas: 2
    requestsPerReplica: 32
    cooldownSeconds: 300
    graceSeconds: 30
    costPerHour: ''
    models: 'image'
    routes: ['r1-nano']
    arguments: []
  }
  gateway: {
    minReplicas: 1
    maxReplicas: 2
    maxWaitSeconds: 300
    webhookHosts: []
    entraTenant: ''
    entraAudience: ''
  }
  retentionHours: 24
  fileRetentionDays: 30
  logRetentionDays: 30
  mails: []
  monthlyBudget: 50
  tags: {}
}

@export()
@description('One GPU is always warm.')
var prod Settings = {
  transport: 'servicebus'
  gatewayHome: 'containerapps'
  gpu: 'T4'
  worker: {
    minReplicas: 1
    maxReplicas: 4
    requestsPerReplica: 64
    cooldownSeconds: 600
    graceSeconds: 120
    costPerHour: ''
    models: 'image'
    routes: ['r1-nano']
    arguments: []
  }
  gateway: {
    minReplicas: 2
    maxReplicas: 10
    maxWaitSeconds: 60
    webhookHosts: []
    entraTenant: ''
    entraAudience: ''
  }
  retentionHours: 24
  fileRetentionDays: 90
  logRetentionDays: 90
  mails: []
  monthlyBudget: 2000
  tags: {}
}
