import { container, jobQueue, modelsContainer, requestQueues, routeQueues, Names } from 'names.bicep'
import { Settings, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param settings Settings

// A day more than the code itself waits for what may still run: see RetentionSweep.LongestWait.
var leftoverDays = 15 + (settings.retentionHours + 23) / 24

// Service Bus has dead letters of its own. The host of the gateway puts poisoned jobs aside by itself.
var queues = settings.transport == 'storage'
  ? flatten([requestQueues, routeQueues(settings.worker.routes), map(requestQueues, name => '${name}-dead'), [jobQueue, '${jobQueue}-poison']])
  : []

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: names.storage
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-06-01' = {
  parent: account
  name: 'default'
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-06-01' = [
  for name in [container, modelsContainer]: {
    parent: blobs
    name: name
    properties: { publicAccess: 'None' }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-06-01' = {
  parent: account
  name: 'default'
}

resource waiting 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' = [
  for name in queues: {
    parent: queueService
    name: name
  }
]

// What the code's own housekeeping has not removed, because nothing ran.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2026-06-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'requests'
          enabled: true
          type: 'Lifecycle'
          definition: {
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: leftoverDays } } }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: map(
                ['results', 'requests', 'idempotency', 'cancelled', 'bodies', 'webhooks'],
                folder => '${container}/${folder}/'
              )
            }
          }
        }
        {
          name: 'files'
          enabled: true
          type: 'Lifecycle'
          definition: {
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: settings.fileRetentionDays } } }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: map(['files', 'file-index', 'batches', 'jobs'], folder => '${container}/${folder}/')
            }
          }
        }
      ]
    }
  }
  dependsOn: [containers]
}

output models string = '${account.properties.primaryEndpoints.blob}${modelsContainer}'
