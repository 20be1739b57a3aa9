import { Names } from 'names.bicep'
import { roles } from 'roles.bicep'
import { Principals, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param principals Principals

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  name: names.registry
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, names.platformIdentity, roles.acrPull)
  scope: registry
  properties: {
    principalId: principals.platform
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
  }
}

output endpoint string = registry.properties.loginServer
