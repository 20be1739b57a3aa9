import { container, modelsContainer, routeQueues, scaledQueues, Names } from 'names.bicep'
import { roles } from 'roles.bicep'
import { Principals, Settings } from 'types.bicep'

param names Names
param principals Principals

@description('Who deploys, and may put models there; nobody if empty.')
param operatorPrincipal string

param settings Settings

// Whether requests and replies travel through this account's queues.
var hasQueues = settings.transport == 'storage'
var queues = [...scaledQueues, ...routeQueues(settings.worker.routes)]

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: names.storage
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-06-01' existing = {
  parent: account
  name: 'default'
}

resource objects 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-06-01' existing = {
  parent: blobs
  name: container
}

resource models 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-06-01' existing = {
  parent: blobs
  name: modelsContainer
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-06-01' existing = {
  parent: account
  name: 'default'
}

resource watched 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' existing = [
  for name in queues: {
    parent: queueService
    name: name
  }
]

// The Functions host keeps its leases in containers that it makes, and asks for this role on the whole account.
resource gatewayBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, names.gatewayIdentity, roles.storageBlobDataOwner)
  scope: account
  properties: {
    principalId: principals.gateway
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

// Of the whole account: each instance makes a queue for its replies and removes those of the dead, and the host has queues of its own.
resource gatewayQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, names.gatewayIdentity, roles.storageQueueDataContributor)
  scope: account
  properties: {
    principalId: principals.gateway
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

resource workerObjects 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(objects.id, names.workerIdentity, roles.storageBlobDataContributor)
  scope: objects
  properties: {
    principalId: principals.worker
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource workerModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(models.id, names.workerIdentity, roles.storageBlobDataReader)
  scope: models
  properties: {
    principalId: principals.worker
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
  }
}

resource operatorModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipal)) {
  name: guid(models.id, operatorPrincipal, roles.storageBlobDataContributor)
  scope: models
  properties: {
    principalId: operatorPrincipal
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource workerQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasQueues) {
  name: guid(account.id, names.workerIdentity, roles.storageQueueDataContributor)
  scope: account
  properties: {
    principalId: principals.worker
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

resource platformQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, at) in queues: if (hasQueues) {
    name: guid(account.id, name, names.platformIdentity, roles.storageQueueDataReader)
    scope: watched[at]
    properties: {
      principalId: principals.platform
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataReader)
    }
  }
]
